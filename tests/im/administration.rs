//! What the operator's staff may ask about everyone.

use std::sync::mpsc::channel;
use std::time::Duration;

use harness::RestClient;
use module::account::SetDisabled;
use module::api::{self, Caller, Input};
use serde_json::{Value, json};

use crate::scene::{Scene, Who, World};

/// Makes a call as an administrator: its `ok`, or the code of its error.
fn ask(world: &World, op: &str, input: Value) -> Result<Value, String> {
    let (sender, outcome) = channel();
    let sink = Box::new(move |outcome: api::Outcome| sender.send(outcome).unwrap());
    let call = api::find(op).unwrap_or_else(|| panic!("no {op}"));
    call.perform(Input::Value(input), &Caller::NOBODY, &world.im, sink);
    let outcome = outcome.recv_timeout(Duration::from_secs(20)).unwrap();
    let json = outcome.map_err(|error| error.code.as_str().to_owned())?;
    Ok(serde_json::from_str(json.get()).unwrap())
}

/// All entries of a list, read in small pages.
fn pages(world: &World, op: &str, field: &str, query: Option<&str>) -> Vec<Value> {
    let (mut entries, mut after) = (Vec::new(), json!(0));
    loop {
        let mut page = ask(
            world,
            op,
            json!({"query": query, "after": after, "limit": 3}),
        )
        .unwrap();
        entries.append(page[field].as_array_mut().unwrap());
        match page["next"].take() {
            Value::Null => return entries,
            next => after = next,
        }
    }
}

#[test]
fn papers_are_looked_at_and_answered_and_the_user_sees_it() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut owner = RestClient::connect(&world.node);
    owner.show(Some(&scene.person(Who::Owner).token));
    let open = json!({"state": "open"});
    let listed = ask(&world, "admin.verification.list", open.clone()).unwrap();
    let papers = &listed["verifications"][0];
    assert_eq!(papers["user"]["id"], scene.person(Who::Owner).id);
    assert_eq!(papers["document"], "secret of the passport");
    let answer = json!({
        "verification": papers["verification"], "accept": true, "reason": "welcome"
    });
    assert_eq!(
        ask(&world, "admin.verification.answer", answer),
        Ok(json!({}))
    );
    let account = owner.call("account.get", &json!({})).json;
    assert_eq!(account["account"]["verified"], true);
    let own = owner.call("verification.get", &json!({})).json;
    assert_eq!(own["verification"]["state"], "accepted");
    assert_eq!(own["verification"]["reason"], "welcome");
    let inbox = owner.call("inbox.sync", &json!({})).json;
    let last = inbox["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["notice"]["notice"], "verification_answered");
    let left = ask(&world, "admin.verification.list", open).unwrap();
    assert_eq!(left, json!({"verifications": []}));
    let unknown = json!({"verification": 99, "accept": true});
    assert_eq!(
        ask(&world, "admin.verification.answer", unknown),
        Err("not_found".to_owned())
    );
}

#[test]
fn everyone_and_every_group_is_listed_and_today_is_counted() {
    let world = World::start();
    let scene = Scene::of(&world);
    world.change(SetDisabled {
        user: common::UserId(scene.person(Who::Stranger).id),
        disabled: true,
    });
    let users = pages(&world, "admin.user.list", "users", None);
    assert_eq!(users.len(), 8);
    let disabled = users.iter().filter(|user| user["disabled"] == true);
    assert_eq!(disabled.count(), 1);
    let found = pages(&world, "admin.user.list", "users", Some("olg"));
    assert_eq!(found[0]["id"], scene.person(Who::Owner).id);
    assert_eq!(found.len(), 1);
    let groups = pages(&world, "admin.group.list", "groups", None);
    let ids: Vec<_> = groups.iter().map(|group| group["id"].as_u64()).collect();
    assert_eq!(ids, [scene.group, scene.closed, scene.gone].map(Some));

    let counts = ask(&world, "admin.statistics", json!({})).unwrap();
    assert_eq!(
        [&counts["users"], &counts["guests"], &counts["groups"]],
        [8, 0, 2]
    );
    assert_eq!(counts["verifications_open"], 1);
    // It may be midnight between the first message and the last.
    let sum = |what: &str| {
        let days = counts["days"].as_array().unwrap();
        days.iter()
            .filter_map(|day| day[what].as_u64())
            .sum::<u64>()
    };
    assert_eq!((sum("users"), sum("messages")), (8, 6));
    assert!(sum("active") >= 3, "who has said something");
    assert_eq!(
        ask(&world, "admin.statistics", json!({"days": 401})),
        Err("invalid_value".to_owned())
    );
}
