// Making a group, and joining one.

import { app } from '../app.js';
import { enterGroup } from '../actions.js';
import { byId, el, syncList } from '../dom.js';
import { byName, count } from '../text.js';
import { form, openDialog } from './overlay.js';
import { groupRow } from './search.js';

const NAME_CHARS_MAX = 64;
const GROUPS_SHOWN = 100;
/** There is no push for a group that comes or goes, so the open list is read again. */
const REFRESH = 4_000;

export const JOINING = [
  ['open', 'Anyone may join'],
  ['application', 'Who wants to join asks'],
  ['approval', 'Invitations are approved'],
  ['invitation', 'By invitation only'],
];

/** Friends to choose from; `chosen` is the set of their ids. */
export function friendPicker(chosen, without = new Set()) {
  const friends = [...app.store.friends.values()]
    .filter((friend) => !without.has(friend.id))
    .sort((a, b) => byName.compare(a.remark || a.name, b.remark || b.name));
  if (friends.length === 0) return el('p', { class: 'quiet' }, 'You have no friends to bring along.');
  return el(
    'fieldset',
    { class: 'picker' },
    el('legend', {}, 'Friends'),
    friends.map((friend) => {
      const box = el('input', { type: 'checkbox', id: `pick-${friend.id}`, 'data-testid': `pick-${friend.id}` });
      box.addEventListener('change', () => {
        if (box.checked) chosen.add(friend.id);
        else chosen.delete(friend.id);
      });
      return el(
        'div',
        { class: 'field check' },
        box,
        el('label', { for: box.id, 'data-name': friend.name }, el('bdi', {}, friend.remark || friend.name)),
      );
    }),
  );
}

export function openGroups() {
  const chosen = new Set();
  const list = el('ul', { class: 'list', 'data-testid': 'groups-list' });
  const more = el('p', { class: 'quiet' });
  let timer = 0;
  const dialog = openDialog({ title: 'Groups', testId: 'groups-dialog' }, (body, self) => {
    const create = form({
      testId: 'group-create',
      action: 'Create',
      fields: [
        {
          name: 'group-name',
          label: 'Start a new group',
          max: NAME_CHARS_MAX,
          placeholder: 'Group name',
          required: true,
        },
        { name: 'joining', label: 'Who may join', options: JOINING, value: 'open' },
      ],
      submit: async (values) => {
        await enterGroup('group.create', { name: values['group-name'], joining: values.joining, members: [...chosen] });
        self.close();
      },
    });
    create.querySelector('.field-error').before(friendPicker(chosen));
    body.append(create, el('h3', {}, 'Or join one'), list, more);
  });
  const refresh = async () => {
    clearTimeout(timer);
    if (!dialog.open) return;
    const { groups, total } = await app.link
      .request('group.list', { limit: GROUPS_SHOWN })
      .catch(() => ({ groups: null }));
    if (groups) {
      const sorted = groups.sort((a, b) => b.members - a.members || byName.compare(a.name, b.name));
      syncList(
        list,
        sorted,
        (group) => group.id,
        (group) => group,
        (group) => groupRow(group, () => dialog.close()),
      );
      const beyond = total - groups.length;
      more.textContent =
        groups.length === 0
          ? 'There are no groups yet.'
          : beyond > 0
            ? `${count(beyond, 'group', 'groups')} more can be found by searching.`
            : '';
    }
    timer = setTimeout(refresh, REFRESH);
  };
  refresh();
}

byId('group-create').addEventListener('click', openGroups);
