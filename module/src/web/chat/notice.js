// What happened in a group, as its log tells it: in parts, which are texts and those whom they name.

/** Of many who came or went at once these are named. */
const NAMED = 3;

/** Some of so many, by name, and what they did. */
function crowd(users, total, did) {
  const named = users.slice(0, NAMED).map(({ name }) => ({ name }));
  const more = total - named.length;
  if (more > 0) named.push(more === 1 ? '1 other' : `${more.toLocaleString()} others`);
  const parts = named.flatMap((who, at) => {
    if (at === 0) return [who];
    return [at === named.length - 1 ? ' and ' : ', ', who];
  });
  return total > 0 ? [...parts, did] : [];
}

/** `me` is the user's id. Gives nothing where there is nothing to tell. */
export function groupNotice({ notice, user, by, ...rest }, me) {
  const who = (someone) => (someone?.id === me ? 'You' : { name: someone?.name ?? '' });
  const isSelf = user?.id === me;
  const other = by && by.id !== user?.id ? by : null;
  switch (notice) {
    case 'group_joined':
      if (isSelf) return null;
      return other ? [who(other), ' brought ', who(user), ' into the group'] : [who(user), ' joined the group'];
    case 'group_left':
      return other ? [who(other), ' removed ', isSelf ? 'you' : who(user)] : [who(user), ' left the group'];
    case 'group_members': {
      const came = crowd(rest.who_joined, rest.joined, ' joined the group');
      const went = crowd(rest.who_left, rest.left, ' left the group');
      return came.length > 0 && went.length > 0 ? [...came, '; ', ...went] : [...came, ...went];
    }
    case 'group_changed':
      return [who(by), ' changed the group'];
    case 'group_dismissed':
      return [who(by), ' dismissed the group'];
    default:
      return null;
  }
}
