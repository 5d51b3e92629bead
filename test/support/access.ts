// Who may use which route of the worker. The tests of the worker prove it, and SECURITY.md is compared with it.

/**
 * `anyone` needs no credential; `agent`, `supervisor` and `admin` a key or a session of that role or of a higher one; `relay` the
 * secret of the relay in the path; `provider` what only the provider has; `invited` an invitation.
 */
export type Access = 'anyone' | 'agent' | 'supervisor' | 'admin' | 'relay' | 'provider' | 'invited';

/** Every route, by method and path. */
export const ACCESS: Readonly<Record<string, Access>> = {
  'GET /healthz': 'anyone',
  'GET /docs': 'anyone',
  'GET /v1/openapi.json': 'anyone',

  'GET /webhooks/whatsapp': 'provider',
  'POST /webhooks/whatsapp': 'provider',
  'POST /webhooks/360dialog/:numberId': 'provider',
  'GET /v1/relays/:id/connect': 'relay',
  'GET /v1/relays/:id/prompts/:promptId': 'relay',
  'PUT /v1/relays/:id/recordings/:callId': 'relay',

  'POST /v1/session': 'invited',

  'GET /v1/session': 'agent',
  'DELETE /v1/session': 'agent',
  'GET /v1/calls': 'agent',
  'POST /v1/calls': 'agent',
  'GET /v1/calls/:id': 'agent',
  'POST /v1/calls/:id/claim': 'agent',
  'POST /v1/calls/:id/join': 'agent',
  'POST /v1/calls/:id/end': 'agent',
  'POST /v1/calls/:id/hold': 'agent',
  'POST /v1/calls/:id/play': 'agent',
  'POST /v1/calls/:id/play/stop': 'agent',
  'POST /v1/calls/:id/recording': 'agent',
  'GET /v1/calls/:id/recording': 'agent',
  'DELETE /v1/calls/:id/recording': 'admin',
  'GET /v1/prompts': 'agent',
  'GET /v1/prompts/:id': 'agent',
  'GET /v1/prompts/:id/audio': 'agent',
  'POST /v1/prompts': 'admin',
  'DELETE /v1/prompts/:id': 'admin',
  'GET /v1/events': 'agent',
  'GET /v1/contacts': 'agent',
  'POST /v1/contacts': 'agent',
  'GET /v1/contacts/:id': 'agent',
  'GET /v1/contacts/:id/permission': 'agent',
  'POST /v1/contacts/:id/permission-request': 'agent',

  'GET /v1/agents': 'admin',
  'POST /v1/agents': 'admin',
  'PATCH /v1/agents/:id': 'admin',
  'POST /v1/agents/:id/invitation': 'admin',
  'POST /v1/agents/:id/key': 'admin',
  'DELETE /v1/agents/:id': 'admin',
  'GET /v1/api-keys': 'admin',
  'POST /v1/api-keys': 'admin',
  'DELETE /v1/api-keys/:id': 'admin',
  'GET /v1/relays': 'admin',
  'POST /v1/relays': 'admin',
  'POST /v1/relays/:id/secret': 'admin',
  'DELETE /v1/relays/:id': 'admin',
  'GET /v1/numbers': 'admin',
  'POST /v1/numbers': 'admin',
  'GET /v1/numbers/:id': 'admin',
  'PATCH /v1/numbers/:id': 'admin',
  'GET /v1/numbers/:id/calling': 'admin',
  'PATCH /v1/numbers/:id/calling': 'admin',
  'GET /v1/numbers/:id/doctor': 'admin',
  'GET /v1/forwards': 'admin',
  'POST /v1/forwards/:id/retry': 'admin',
  'GET /v1/webhooks': 'admin',
  'POST /v1/webhooks': 'admin',
  'GET /v1/webhooks/:id': 'admin',
  'PATCH /v1/webhooks/:id': 'admin',
  'DELETE /v1/webhooks/:id': 'admin',
  'POST /v1/webhooks/:id/secret': 'admin',
  'GET /v1/webhooks/:id/deliveries': 'admin',
  'POST /v1/webhooks/deliveries/:id/replay': 'admin',
  'GET /v1/rates': 'admin',
  'PUT /v1/rates': 'admin',
  'GET /v1/stats': 'admin',
  'GET /v1/usage': 'admin',
};

/** Of those, what only a person does: a program that may do as much is nobody who could. */
export const FOR_PEOPLE: ReadonlySet<string> = new Set([
  'POST /v1/calls/:id/claim',
  'POST /v1/calls/:id/join',
  'GET /v1/calls/:id/recording',
]);
