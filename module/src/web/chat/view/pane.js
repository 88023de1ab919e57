// The head of a conversation, and what can be done with the whole of it.

import { app, isPhone } from '../app.js';
import { clearConversation, setMuted, setPinned } from '../actions.js';
import { byId, setText, syncOne } from '../dom.js';
import { count } from '../text.js';
import { attempt, confirm, openMenu } from './overlay.js';
import { conversationAvatar } from './sidebar.js';

function subtitleOf(conversation) {
  const { store } = app;
  const { typists } = conversation;
  if (typists.length > 0) {
    if (conversation.kind === 'direct') return 'typing…';
    return typists.length === 1 ? `${typists[0]} is typing…` : `${typists.length} people are typing…`;
  }
  switch (conversation.kind) {
    case 'group':
      return conversation.left ? 'Group' : count(conversation.membersTotal, 'member', 'members');
    case 'direct':
      if (conversation.id === store.me.id) return 'Notes to yourself';
      return store.isOnline(conversation.id) ? 'Online' : 'Not online';
    case 'system':
      return 'From the operator';
    default: {
      const total = Math.max(store.peopleTotal, store.people.size + 1);
      return total === 1 ? 'Only you are here' : `${total.toLocaleString()} people online`;
    }
  }
}

function drawPane() {
  if (app.screen === 'login') return;
  const { conversation } = app.store;
  const { kind, id, title, picture } = conversation;
  setText(byId('pane-title'), title);
  setText(byId('pane-subtitle'), subtitleOf(conversation));
  const online = kind === 'direct' && app.store.isOnline(id);
  syncOne(byId('pane-avatar'), [kind, id, title, picture, online, app.store.pictureOf(id)], () =>
    conversationAvatar(conversation),
  );
  const toggle = byId('details-toggle');
  toggle.hidden = kind === 'all' || kind === 'system' || conversation.left;
  toggle.title = kind === 'group' ? 'Members and settings' : 'Profile';
  toggle.setAttribute('aria-label', toggle.title);
}

async function clear(conversation, unlist) {
  const agreed = await confirm({
    title: unlist ? 'Remove the conversation?' : 'Delete all messages?',
    text: 'The messages go from your devices. Others keep theirs.',
    action: unlist ? 'Remove' : 'Delete',
  });
  if (agreed) attempt(() => clearConversation(conversation, unlist));
}

byId('pane-more').addEventListener('click', (event) => {
  const { conversation } = app.store;
  const { pinned, muted, kind, lastSeq } = conversation;
  const listed = kind !== 'all' && lastSeq > 0;
  openMenu(event.currentTarget, [
    isPhone.matches && { text: 'Search', run: () => byId('search-here').click() },
    listed && {
      text: pinned ? 'Unpin' : 'Pin to the top',
      run: () => attempt(() => setPinned(conversation, !pinned)),
      testId: 'menu-pin',
    },
    lastSeq > 0 && {
      text: muted ? 'Unmute' : 'Mute',
      run: () => attempt(() => setMuted(conversation, !muted)),
      testId: 'menu-mute',
    },
    { text: 'Delete all messages for me', danger: true, run: () => clear(conversation, false) },
    kind !== 'all' && { text: 'Remove from the list', danger: true, run: () => clear(conversation, true) },
  ]);
});

byId('close-conversation').addEventListener('click', () =>
  attempt(() => clearConversation(app.store.conversation, true)),
);

app.views.push(drawPane);
