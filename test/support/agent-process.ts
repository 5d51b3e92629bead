// A `TestAgent` in a process of its own, so that a test can take it away without a goodbye.
import { setting } from './setting.ts';
import { TestAgent, type Seat } from './test-agent.ts';

const seat = JSON.parse(setting('AGENT_SEAT')) as Seat;
await TestAgent.join(seat, { toneHz: Number(setting('AGENT_TONE_HZ')) });
