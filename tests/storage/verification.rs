//! Real names: submitted by users, looked at by an administrator.

use common::UserId;
use module::account::FindAccount;
use module::account::verification::{
    AnswerVerification, FindVerification, ListVerifications, Papers, SubmitVerification,
    Verification,
};
use module::friend::RequestState;
use module::inbox::Notice;
use module::storage::refusal::Refusal;

use crate::bench::Bench;

fn papers(name: &str) -> Papers {
    Papers {
        name: name.to_owned(),
        document: "L01X00T47".to_owned(),
        note: "my passport".to_owned(),
        pictures: vec!["a1b2".to_owned(), "https://example.com/2.jpg".to_owned()],
    }
}

fn submit(bench: &Bench, user: UserId, name: &str) -> Result<u64, Refusal> {
    bench.change_now(SubmitVerification {
        user,
        papers: papers(name),
    })
}

fn answer(bench: &Bench, id: u64, accept: bool, reason: &str) -> Result<UserId, Refusal> {
    let answer = AnswerVerification {
        id,
        accept,
        reason: reason.to_owned(),
        origin: None,
    };
    bench.change_now(answer).map(|user| user.id)
}

fn list(bench: &Bench, state: Option<RequestState>) -> Vec<Verification> {
    let list = ListVerifications {
        state,
        after: 0,
        limit: 10,
    };
    bench.look_up_now(list).unwrap().verifications
}

fn is_verified(bench: &Bench, user: UserId) -> bool {
    bench.look_up_now(FindAccount { user }).unwrap().verified
}

#[test]
fn papers_that_are_accepted_verify_the_account_and_the_user_is_told() {
    let bench = Bench::new();
    let (ada, bob) = (bench.user("Ada"), bench.user("Bob"));
    let find = |user| bench.look_up_now(FindVerification { user });
    assert_eq!(find(ada), Err(Refusal::VerificationUnknown));
    let id = submit(&bench, ada, "Augusta Ada King").unwrap();
    submit(&bench, bob, "Robert").unwrap();
    let own = find(ada).unwrap();
    assert_eq!((own.id, &own.papers), (id, &papers("Augusta Ada King")));
    assert_eq!((own.state, own.handled_ms), (RequestState::Open, 0));
    assert!(!is_verified(&bench, ada));
    let open: Vec<UserId> = list(&bench, Some(RequestState::Open))
        .iter()
        .map(|verification| verification.user.id)
        .collect();
    assert_eq!(open, [ada, bob]);

    assert_eq!(answer(&bench, id, true, "welcome"), Ok(ada));
    assert!(is_verified(&bench, ada) && !is_verified(&bench, bob));
    assert_eq!(find(ada).unwrap().state, RequestState::Accepted);
    let told = Notice::VerificationAnswered {
        accepted: true,
        reason: "welcome".to_owned(),
    };
    assert_eq!(bench.notices(ada), [told]);
    assert_eq!(bench.notices(bob), []);
    assert_eq!(
        submit(&bench, ada, "Somebody else"),
        Err(Refusal::AlreadyVerified)
    );
    assert_eq!(list(&bench, Some(RequestState::Open)).len(), 1);
    assert_eq!(list(&bench, None).len(), 2);
}

#[test]
fn an_answer_is_to_what_was_looked_at() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let first = submit(&bench, ada, "Ada").unwrap();
    let second = submit(&bench, ada, "Augusta Ada King").unwrap();
    assert_eq!(
        answer(&bench, first, true, ""),
        Err(Refusal::VerificationUnknown),
        "the papers were replaced meanwhile"
    );
    assert_eq!(answer(&bench, second, false, "too blurred"), Ok(ada));
    let third = submit(&bench, ada, "Augusta Ada King").unwrap();
    assert_eq!(list(&bench, None).len(), 1, "one for each user");
    assert_eq!(answer(&bench, third, true, ""), Ok(ada));
    assert_eq!(answer(&bench, third, false, "forged"), Ok(ada));
    assert!(!is_verified(&bench, ada), "an answer can be taken back");
}

#[test]
fn papers_that_are_none_are_refused() {
    let bench = Bench::new();
    let ada = bench.user("Ada");
    let whole = papers("Ada");
    let bad = [
        papers(" "),
        papers(&"x".repeat(65)),
        Papers {
            document: "a\nb".to_owned(),
            ..whole.clone()
        },
        Papers {
            note: "x".repeat(501),
            ..whole.clone()
        },
        Papers {
            pictures: vec!["p".to_owned(); 9],
            ..whole.clone()
        },
        Papers {
            pictures: vec![String::new()],
            ..whole
        },
    ];
    for papers in bad {
        let submit = SubmitVerification {
            user: ada,
            papers: papers.clone(),
        };
        let outcome = bench.change_now(submit);
        assert!(matches!(outcome, Err(Refusal::Invalid(_))), "{papers:?}");
    }
    assert_eq!(submit(&bench, UserId(9), "Eve"), Err(Refusal::UserUnknown));
    assert_eq!(list(&bench, None), []);
}
