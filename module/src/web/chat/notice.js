// What happened in a group, as its log tells it: in parts, which are texts and those whom they name.

/** `me` is the user's id. Gives nothing where there is nothing to tell. */
export function groupNotice({ notice, user, by }, me) {
  const who = (someone) => (someone?.id === me ? 'You' : { name: someone?.name ?? '' });
  const isSelf = user?.id === me;
  const other = by && by.id !== user?.id ? by : null;
  switch (notice) {
    case 'group_joined':
      if (isSelf) return null;
      return other ? [who(other), ' brought ', who(user), ' into the group'] : [who(user), ' joined the group'];
    case 'group_left':
      return other ? [who(other), ' removed ', isSelf ? 'you' : who(user)] : [who(user), ' left the group'];
    case 'group_changed':
      return [who(by), ' changed the group'];
    case 'group_dismissed':
      return [who(by), ' dismissed the group'];
    default:
      return null;
  }
}
