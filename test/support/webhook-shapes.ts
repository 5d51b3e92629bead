// Webhooks as the provider sends them, one of each kind. Provider: samples of the Calling API's documentation, read 2026-07.

/**
 * One body of every kind.
 *
 * @param phoneNumberId the number they are about
 * @param id part of the ids of calls and messages
 */
export function webhookShapes(phoneNumberId: string, id: string): unknown[] {
  const nowS = Math.floor(Date.now() / 1000);
  const metadata = { display_phone_number: '15550109999', phone_number_id: phoneNumberId };
  const contacts = [
    { profile: { name: 'Ana', username: 'ana.w' }, wa_id: '351910000001', user_id: 'PT.1349' },
  ];
  const timestamp = String(nowS);
  const change = (field: string, value: object, more: object = {}) => ({
    object: 'whatsapp_business_account',
    entry: [{ id: '100000000000001', changes: [{ field, value }], ...more }],
  });
  const calls = (call: object, more: object = {}) =>
    change('calls', { messaging_product: 'whatsapp', metadata, contacts, calls: [call], ...more });
  const inbound = {
    id: `wacid.${id}`,
    from: '351910000001',
    from_user_id: 'PT.1349',
    to: '15550109999',
    direction: 'USER_INITIATED',
    timestamp,
  };
  const outbound = {
    id: `wacid.out.${id}`,
    from: '15550109999',
    to: '351910000001',
    to_user_id: 'PT.1349',
    direction: 'BUSINESS_INITIATED',
    timestamp,
    biz_opaque_callback_data: 'attempt-1',
  };
  const answer = { sdp_type: 'answer', sdp: 'v=0\r\no=answer\r\n' };
  const errors = [
    { code: 138021, title: 'No media', message: 'No media', error_data: { details: 'x' } },
  ];
  const message = { from: '351910000001', from_user_id: 'PT.1349', id: `wamid.${id}`, timestamp };
  const reply = {
    response: 'accept',
    is_permanent: false,
    expiration_timestamp: nowS + 604_800,
    response_source: 'user_action',
  };
  return [
    calls({
      ...inbound,
      event: 'connect',
      session: { sdp_type: 'offer', sdp: 'v=0\r\no=offer\r\n' },
      cta_payload: 'order-17',
    }),
    calls({ ...inbound, event: 'terminate', status: ['FAILED', 'COMPLETED'], errors }, { errors }),
    calls({
      ...inbound,
      event: 'terminate',
      status: 'COMPLETED',
      start_time: timestamp,
      end_time: timestamp,
      duration: 4,
    }),
    calls({ ...outbound, event: 'connect', session: answer }),
    calls({
      ...outbound,
      event: 'connect',
      connection: { webrtc: { sdp: JSON.stringify({ type: 'answer', sdp: answer.sdp }) } },
    }),
    change('calls', {
      metadata,
      statuses: [
        { ...outbound, type: 'call', status: 'ACCEPTED', recipient_id: '351910000001' },
        { ...outbound, type: 'call', status: 'RINGING', recipient_user_id: 'PT.1349' },
      ],
    }),
    change('messages', {
      metadata,
      contacts,
      messages: [{ ...message, type: 'text', text: { body: 'hello' } }],
    }),
    change('messages', {
      metadata,
      contacts,
      messages: [
        {
          ...message,
          type: 'interactive',
          context: { from: '15550109999', id: 'wamid.request' },
          interactive: { type: 'call_permission_reply', call_permission_reply: reply },
        },
      ],
    }),
    change('account_settings_update', {
      type: 'phone_number_settings',
      timestamp,
      phone_number_settings: {
        phone_number_id: phoneNumberId,
        calling: {
          status: 'ENABLED',
          call_icon_visibility: 'DEFAULT',
          call_hours: {
            status: 'ENABLED',
            timezone_id: 'Europe/Lisbon',
            weekly_operating_hours: [
              { day_of_week: 'MONDAY', open_time: '0900', close_time: '1800' },
            ],
            holiday_schedule: [{ date: '2026-12-25', start_time: '0000', end_time: '2359' }],
          },
          sip: { status: 'DISABLED' },
        },
      },
    }),
    change(
      'account_update',
      {
        phone_number: '15550109999',
        event: 'ACCOUNT_RESTRICTION',
        restriction_info: [
          {
            restriction_type: 'RESTRICTED_BUSINESS_INITIATED_CALLING',
            expiration: nowS + 604_800,
          },
        ],
        violation_info: { violation_type: 'USER_INITIATED_CALLS_LOW_PICKUP_RATE' },
      },
      { time: nowS },
    ),
  ];
}
