// Answers every POST with 200 after one empty call to a Durable Object and one insert into D1.
import { DurableObject } from 'cloudflare:workers';

export class Bystander extends DurableObject {
  /** Empty: only the way here and back is of interest. */
  touch() {}
}

export default {
  async fetch(request, env) {
    if (request.method !== 'POST') return new Response('ok');
    await request.arrayBuffer();
    await env.BYSTANDER.get(env.BYSTANDER.idFromName('bystander')).touch();
    await env.DB.prepare('INSERT INTO acks (id, at_ms) VALUES (?, ?)')
      .bind(crypto.randomUUID(), Date.now())
      .run();
    return new Response(null, { status: 200 });
  },
};
