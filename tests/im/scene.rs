//! A server, and people on it who stand in every relation to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{GroupId, UserId};
use harness::{Options, RestClient, TestNode};
use module::account::password::HashCost;
use module::account::position::{Position, SetPosition};
use module::account::token::Tokens;
use module::account::verification::{Papers, SubmitVerification};
use module::account::{AccountConfig, LoginPolicy, OpenSession, Register, TokenId};
use module::attachment::{AddAttachment, Hash};
use module::friend::{AnswerFriend, RequestFriend, SetBlock};
use module::group::{CreateGroup, Dismiss, Join, Joining, SetRole};
use module::message::{Kind, Send, SendSystem, SystemRecipients, To};
use module::presence::Platform;
use module::storage::operation::WriteOperation;
use module::storage::sqlite::{Location, StoreConfig};
use module::{Im, ImConfig};
use serde_json::{Value, json};

/// The password of everyone.
pub(crate) const PASSWORD: &str = "open, sesame";
/// A day, in milliseconds.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Who asks, by what they are to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody has met them.
    Stranger,
    /// The owner has blocked them.
    Blocked,
    /// A friend of the owner, with whom they talk; not in the group.
    Peer,
    /// In the group.
    Member,
    /// Runs the group.
    Administrator,
    /// Owns the group.
    Owner,
}

impl Who {
    /// All, in the order of the columns of the table.
    pub(crate) const ALL: [Self; 6] = [
        Self::Stranger,
        Self::Blocked,
        Self::Peer,
        Self::Member,
        Self::Administrator,
        Self::Owner,
    ];
}

/// A user with a session.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) session: TokenId,
    pub(crate) token: String,
}

impl Person {
    /// The session as calls name it.
    pub(crate) fn session_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.session))
    }

    const fn user(&self) -> UserId {
        UserId(self.id)
    }
}

/// A server with a store in a directory, and what tokens of it are signed with.
pub(crate) struct World {
    pub(crate) node: TestNode,
    pub(crate) im: Arc<Im>,
    pub(crate) tokens: Tokens,
    hash: String,
    people: AtomicU64,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::with(&Options::default())
    }

    pub(crate) fn with(options: &Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // What a hash costs is not what is looked at here.
        let hash_cost = HashCost {
            memory_kib: 8,
            passes: 1,
        };
        let im = Im::open(ImConfig {
            store: StoreConfig {
                location: Location::Directory(directory.path().to_owned()),
                ..StoreConfig::default()
            },
            accounts: AccountConfig {
                hash_cost,
                ..AccountConfig::default()
            },
            ..ImConfig::default()
        });
        let im = im.unwrap();
        Self {
            node: TestNode::around_im(options, &im),
            im,
            tokens: Tokens::new(Some(directory.path()), None).unwrap(),
            hash: hash_cost.hash(PASSWORD),
            people: AtomicU64::new(0),
            _directory: directory,
        }
    }

    pub(crate) fn change<O: WriteOperation>(&self, operation: O) -> O::Output {
        let outcome = self.im.store().change_now(operation);
        outcome.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// A new user with a session.
    pub(crate) fn person(&self, name: &str) -> Person {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let login = format!("{name} {number}");
        let register = Register {
            name: login.clone(),
            nickname: name.to_owned(),
            password: self.hash.clone(),
        };
        let id = self.change(register).id.0;
        let mut person = Person {
            id,
            login,
            session: [0; 16],
            token: String::new(),
        };
        (person.session, person.token) = self.session(id, number);
        person
    }

    /// A session of a user, whose token is good for a day.
    fn session(&self, user: u64, number: u64) -> (TokenId, String) {
        let session = (u128::from(number) + 1).to_be_bytes();
        let now_ms = module::im::now_ms();
        let expires_ms = now_ms + DAY_MS;
        self.change(OpenSession {
            user: UserId(user),
            token: session,
            platform: Platform::Web,
            expires_ms,
            policy: LoginPolicy::PerPlatform,
            password: None,
            replaces: None,
        });
        let token = self
            .tokens
            .issue(UserId(user), session, Platform::Web, now_ms, expires_ms);
        (session, token)
    }
}

/// People who have met.
pub(crate) struct Scene {
    /// As [`Who::ALL`].
    people: Vec<Person>,
    /// Another member, whom others are to be removed, muted and the like.
    pub(crate) other: Person,
    /// Has asked the owner for friendship, and applied to the group.
    pub(crate) applicant: Person,
    /// Takes who applies.
    pub(crate) group: u64,
    /// The owner's alone, for who is invited.
    pub(crate) closed: u64,
    /// The owner's, with all members of the group; dismissed.
    pub(crate) gone: u64,
    /// The owner's, named by what they have said in the group.
    pub(crate) attachment: u64,
}

impl Scene {
    /// What the member has said in the group.
    pub(crate) const OF_MEMBER: u64 = 1;
    /// What the owner has said in the group.
    pub(crate) const OF_OWNER: u64 = 2;

    pub(crate) fn of(world: &World) -> Self {
        let names = [
            "Stan", "Blake", "Pia", "Mia", "Adam", "Olga", "Otto", "Anna",
        ];
        let mut people: Vec<_> = names.iter().map(|name| world.person(name)).collect();
        let (applicant, other) = (people.pop().unwrap(), people.pop().unwrap());
        let [_, blocked, peer, member, administrator, owner] = &people[..] else {
            unreachable!("eight names");
        };
        let create = |name: &str, members, joining| {
            let create = CreateGroup {
                owner: owner.user(),
                name: name.to_owned(),
                members,
                joining,
                origin: None,
            };
            world.change(create).id
        };
        let members = || vec![member.user(), administrator.user(), other.user()];
        let group = create("Rust", members(), Joining::Application);
        let closed = create("Closed", Vec::new(), Joining::Invitation);
        let gone = create("Gone", members(), Joining::Open);
        world.change(Dismiss {
            by: Some(owner.user()),
            group: gone,
            origin: None,
        });
        world.change(SetRole {
            by: owner.user(),
            group,
            user: administrator.user(),
            role: module::group::Role::Administrator,
            origin: None,
        });
        world.change(Join {
            user: applicant.user(),
            group,
            text: "let me in".to_owned(),
            origin: None,
        });
        befriend(world, peer, owner);
        ask(world, &applicant, owner);
        world.change(SetBlock {
            user: owner.user(),
            other: blocked.user(),
            blocked: true,
            origin: None,
        });
        for person in [member, owner] {
            world.change(SetPosition {
                user: person.user(),
                position: Position::new(52.52, 13.4),
            });
        }
        world.change(SubmitVerification {
            user: owner.user(),
            papers: Papers {
                name: "Olga Orlova".to_owned(),
                document: "secret of the passport".to_owned(),
                note: String::new(),
                pictures: Vec::new(),
            },
        });
        let attachment = world.change(AddAttachment {
            owner: owner.user(),
            hash: Hash([7; 32]),
            name: "secret.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            bytes: 1,
            pixels: None,
            thumbnail: false,
            quota: u64::MAX,
        });
        let say_as = |kind, from: &Person, to, body: &str| {
            world.change(Send {
                sender: from.user(),
                to,
                kind,
                body: body.to_owned(),
                extra: None,
                client_id: None,
                mentions: Vec::new(),
                origin: None,
            })
        };
        let say = |from: &Person, to, body: &str| say_as(Kind::Text, from, to, body);
        say(member, To::Group(group), "secret of the member");
        say(owner, To::Group(group), "secret of the owner");
        let named = json!({"attachment": attachment.id.0}).to_string();
        say_as(Kind::File, owner, To::Group(group), &named);
        say(owner, To::User(peer.user()), "secret of two");
        say(peer, To::User(owner.user()), "secret of the peer");
        world.change(SendSystem {
            to: SystemRecipients::Users(vec![owner.user()]),
            kind: Kind::Text,
            body: "secret of the operator".to_owned(),
            extra: None,
        });
        Self {
            other,
            applicant,
            group: group.0,
            closed: closed.0,
            gone: gone.0,
            attachment: attachment.id.0,
            people,
        }
    }

    pub(crate) fn person(&self, who: Who) -> &Person {
        &self.people[who as usize]
    }

    /// The conversation of the owner and the peer.
    pub(crate) fn direct(&self) -> String {
        let (a, b) = (self.person(Who::Owner).id, self.person(Who::Peer).id);
        format!("d:{}:{}", a.min(b), a.max(b))
    }

    /// The conversation of the group.
    pub(crate) fn in_group(&self) -> String {
        format!("g:{}", self.group)
    }

    /// Checks that those people see what they have seen before.
    #[track_caller]
    pub(crate) fn assert_as(&self, before: &[Value], client: &mut RestClient, what: &str) {
        let now = self.dump(client);
        for (before, now) in before.iter().zip(&now) {
            assert_eq!(now, before, "{what}");
        }
    }

    /// All that those people can see, to be compared.
    pub(crate) fn dump(&self, client: &mut RestClient) -> Vec<Value> {
        let mut dump = Vec::new();
        let groups = [self.group, self.closed, self.gone].map(|group| GroupId(group).0);
        for person in self.people.iter().chain([&self.other, &self.applicant]) {
            client.show(Some(&person.token));
            let mut seen = |op: &str, input: Value| {
                let answer = client.call(op, &input);
                dump.push(json!([person.id, op, input, answer.status, answer.json]));
            };
            for op in [
                "account.get",
                "verification.get",
                "session.list",
                "friend.list",
                "friend.requests",
                "block.list",
                "conversation.list",
                "inbox.sync",
                "group.applications",
            ] {
                seen(op, json!({}));
            }
            seen("position.nearby", json!({"radius": 100_000}));
            seen("friend.requests", json!({"made": true}));
            seen("group.applications", json!({"made": true}));
            seen("group.list", json!({"joined": true}));
            for group in groups {
                seen("group.get", json!({"group": group}));
                seen("group.members", json!({"group": group}));
                let conversation = format!("g:{group}");
                seen("message.history", json!({"conversation": conversation}));
            }
            seen("message.history", json!({"conversation": self.direct()}));
            seen("message.history", json!({"conversation": "all"}));
            let attachment = client.call("attachment.get", &json!({"attachment": self.attachment}));
            dump.push(json!([
                person.id,
                attachment.status,
                attachment.json["name"]
            ]));
        }
        dump
    }
}

fn ask(world: &World, from: &Person, to: &Person) {
    world.change(RequestFriend {
        from: from.user(),
        to: to.user(),
        text: String::new(),
        origin: None,
    });
}

fn befriend(world: &World, from: &Person, to: &Person) {
    ask(world, from, to);
    world.change(AnswerFriend {
        from: from.user(),
        to: to.user(),
        accept: true,
        text: String::new(),
        origin: None,
    });
}
