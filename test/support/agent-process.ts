// An agent in a process of its own, so that a test can take it away without a goodbye: claims a call and talks.
import { RoomlineClient } from './roomline-client.ts';
import { setting } from './setting.ts';
import { TestAgent } from './test-agent.ts';

// Claimed here and not by who starts this, because a process takes seconds to start and a claim does not wait for long.
const desk = new RoomlineClient(setting('AGENT_API_URL'), setting('AGENT_API_KEY'));
const seat = await desk.claim(setting('AGENT_CALL_ID'));
await TestAgent.join(seat, { toneHz: Number(setting('AGENT_TONE_HZ')) });
