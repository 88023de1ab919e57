//! The pages that a browser gets: static, embedded, without external resources.

use gate::Files;

/// What a page may load and whom it may talk to: nobody but this server. Nothing inline, so that
/// text from a message can never run.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; \
    style-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The files of the chat page below its root, by their paths in this folder.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_bytes!($path).as_slice())),*]
    };
}

const CHAT: &[(&str, &[u8])] = &files![
    "chat.css",
    "chat.js",
    "chat/actions.js",
    "chat/app.js",
    "chat/attachment.js",
    "chat/change.js",
    "chat/connection.js",
    "chat/conversation.js",
    "chat/dom.js",
    "chat/draft.js",
    "chat/hub.js",
    "chat/inbox.js",
    "chat/link.js",
    "chat/lists.js",
    "chat/lookup.js",
    "chat/message.js",
    "chat/notice.js",
    "chat/outbox.js",
    "chat/parts.css",
    "chat/receipt.js",
    "chat/session.js",
    "chat/store.js",
    "chat/text.js",
    "chat/view/account.js",
    "chat/view/bubble.js",
    "chat/view/composer.js",
    "chat/view/details.js",
    "chat/view/file.js",
    "chat/view/frame.js",
    "chat/view/group.js",
    "chat/view/groups.js",
    "chat/view/log.js",
    "chat/view/login.js",
    "chat/view/mention.js",
    "chat/view/overlay.js",
    "chat/view/pane.js",
    "chat/view/people.js",
    "chat/view/person.js",
    "chat/view/search.js",
    "chat/view/sidebar.js",
];

/// The chat page, to be served at `/`.
#[must_use]
pub fn chat_files() -> Files {
    let files = Files::new().with_file("index.html", &include_bytes!("chat.html")[..]);
    CHAT.iter()
        .fold(files, |files, (path, body)| files.with_file(path, *body))
        .with_header("content-security-policy", CONTENT_SECURITY_POLICY)
        .with_header("referrer-policy", "no-referrer")
}
