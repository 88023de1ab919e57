//! What the IM counts, as the admin listener shows it.

use gate::admin::Sample;
use module::Im;
use module::webhook::WebhookStats;

/// Name and help of the events that were to be told.
const EVENTS: (&str, &str) = (
    "webhook_events_total",
    "Events for the webhook, by what has become of them",
);
/// Name and help of what was asked.
const QUESTIONS: (&str, &str) = (
    "webhook_questions_total",
    "Questions to the webhook, by what has come of them",
);

/// Everything there is to say now.
pub(crate) fn of_im(im: &Im) -> Vec<Sample> {
    im.webhook_stats()
        .map_or_else(Vec::new, |stats| of_webhooks(&stats))
}

fn of_webhooks(stats: &WebhookStats) -> Vec<Sample> {
    let counter = |(name, help), labels, count: u64| Sample {
        name,
        help,
        is_counter: true,
        labels,
        value: count as f64,
    };
    vec![
        counter(EVENTS, &[("outcome", "delivered")], stats.delivered),
        counter(EVENTS, &[("outcome", "given_up")], stats.given_up),
        counter(EVENTS, &[("outcome", "dropped")], stats.dropped),
        counter(
            (
                "webhook_retries_total",
                "Requests to the webhook that were made again",
            ),
            &[],
            stats.retried,
        ),
        counter(QUESTIONS, &[("outcome", "allowed")], stats.allowed),
        counter(QUESTIONS, &[("outcome", "refused")], stats.refused),
        counter(QUESTIONS, &[("outcome", "replaced")], stats.replaced),
        counter(QUESTIONS, &[("outcome", "unanswered")], stats.unanswered),
        Sample {
            name: "webhook_waiting",
            help: "Events that wait to be told to the webhook",
            is_counter: false,
            labels: &[],
            value: stats.waiting as f64,
        },
    ]
}
