// The chat page: no framework, no build, no dependencies. It speaks the native protocol (docs/protocol.md).
//
//   chat/connection.js   one login that survives its sockets
//   chat/hub.js, link.js the same for all tabs of one login, in a shared worker
//   chat/inbox.js        what the server tells, in its order  ->  chat/store.js  ->  chat/view/
//   chat/actions.js      what a person does  ->  the server  ->  the inbox
//   chat/outbox.js       what is not sent yet, and chat/draft.js what is not written yet to its end

import { app } from './chat/app.js';
import { remembered } from './chat/session.js';
import './chat/view/login.js';
import './chat/view/frame.js';
import './chat/view/sidebar.js';
import './chat/view/search.js';
import './chat/view/pane.js';
import './chat/view/details.js';
import './chat/view/log.js';
import './chat/view/composer.js';
import './chat/view/people.js';
import './chat/view/groups.js';
import './chat/view/account.js';

const credentials = remembered();
if (credentials) app.enter(credentials);
app.drawNow();
