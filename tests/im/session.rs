//! The sessions of one user, asked about over REST.

use harness::RestClient;
use serde_json::{Value, json};

use crate::scene::{PASSWORD, Person, World};

/// Logs in on another device; its token.
fn log_in(client: &mut RestClient, person: &Person, platform: &str, password: &str) -> String {
    let input = json!({"login": person.login, "password": password, "platform": platform});
    let granted = client.ok("account.login", &input);
    granted["token"].as_str().unwrap().to_owned()
}

/// The platforms of the sessions that are open, and which of them asks.
fn sessions(client: &mut RestClient) -> Vec<(String, bool)> {
    let listed = client.ok("session.list", &json!({}));
    let sessions = listed["sessions"].as_array().unwrap().iter();
    let told = |session: &Value| {
        let platform = session["platform"].as_str().unwrap();
        (platform.to_owned(), session["current"] == true)
    };
    let mut told: Vec<_> = sessions.map(told).collect();
    told.sort();
    told
}

#[test]
fn who_ends_all_other_sessions_keeps_their_own() {
    let world = World::start();
    let ada = world.person("Ada");
    let mut client = RestClient::connect(&world.node);
    let phone = log_in(&mut client, &ada, "ios", PASSWORD);
    client.show(Some(&phone));
    let both = [("ios".to_owned(), true), ("web".to_owned(), false)];
    assert_eq!(sessions(&mut client), both);
    let closed = client.ok("session.close_all", &json!({"others": true}));
    assert_eq!(closed["count"], 1);
    assert_eq!(sessions(&mut client), both[..1]);
    client.show(Some(&ada.token));
    assert_eq!(client.call("account.get", &json!({})).status, 401);
}

#[test]
fn a_new_password_ends_all_other_sessions() {
    const NEW: &str = "open, barley";
    let world = World::start();
    let ada = world.person("Ada");
    let mut client = RestClient::connect(&world.node);
    let phone = log_in(&mut client, &ada, "ios", PASSWORD);
    client.show(Some(&ada.token));
    client.ok("account.password", &json!({"old": PASSWORD, "new": NEW}));
    assert_eq!(sessions(&mut client), [("web".to_owned(), true)]);
    client.show(Some(&phone));
    assert_eq!(client.call("account.get", &json!({})).status, 401);
    let old = json!({"login": ada.login, "password": PASSWORD});
    assert_eq!(client.call("account.login", &old).status, 401);
    let phone = log_in(&mut client, &ada, "ios", NEW);
    client.show(Some(&phone));
    client.ok("session.close_all", &json!({}));
    client.show(Some(&ada.token));
    assert_eq!(client.call("account.get", &json!({})).status, 401);
}
