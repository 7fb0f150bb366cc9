/** Everything that webhooks can tell, and when; the text stands in the documentation of the API. */
export const WEBHOOK_EVENTS = {
  'rollout.started': 'its first wave is about to open',
  'rollout.threshold_reached': 'so many hosts have the files that it succeeds; told once for each rollout',
  'rollout.paused': 'no other host begins; `reason` says why',
  'rollout.resumed': 'it goes on',
  'rollout.retried': 'failed hosts are tried again',
  'rollout.succeeded':
    'its verdict: enough hosts have the files; `state` tells `succeeded` from `succeeded_with_failures`',
  'rollout.failed': 'its verdict: too few hosts have the files; `state` tells `failed` from `timed_out`',
  'rollout.cancelled': 'a person ended it',
  'rollout.superseded': 'a newer rollout took all its hosts',
  'wave.opened': 'a wave of a rollout takes its hosts',
  'wave.soaking': 'the hosts of a wave are done, and its soak time begins',
  'wave.held': 'a wave waits at its gate for a person to resume the rollout',
  'host.offline': 'nothing was heard of a host for HAULIER_HOST_OFFLINE_AFTER',
  'host.online': 'a host that was offline is heard of again',
  'source.degraded': 'less than half of the tries at a source outside of the fleet succeed',
  'source.recovered': 'nine of ten tries at a degraded source succeed again',
  'model.checksum_mismatch': 'bytes are not those of the model: on a host, or from a source',
  'webhook.disabled': 'another webhook is not told anything more: its endpoint is gone, or failed for three days',
  'webhook.test': 'asked for by POST /api/webhooks/{id}/test; told to that webhook alone',
} as const;

export type WebhookEventType = keyof typeof WEBHOOK_EVENTS;

export const WEBHOOK_EVENT_TYPES = Object.keys(WEBHOOK_EVENTS) as [WebhookEventType, ...WebhookEventType[]];

/** @returns the patterns that a type matches: itself, `group.*` and `*` */
export const patternsOf = (type: WebhookEventType): string[] => [type, `${type.split('.', 1)[0]!}.*`, '*'];

/** Every pattern that a webhook may have. */
export const WEBHOOK_PATTERNS: readonly string[] = [...new Set(WEBHOOK_EVENT_TYPES.flatMap(patternsOf))];
