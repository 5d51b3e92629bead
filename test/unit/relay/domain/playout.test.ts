import { expect, it } from 'vitest';
import { Playout } from '../../../../relay/domain/playout.ts';

/** Packets of 20 ms that say of which sound they are, and their number. */
const sound = (name: string, length: number): Uint8Array[] =>
  Array.from({ length }, (_, index) => Uint8Array.of(0x78, name.charCodeAt(0), index));

function rig() {
  const playout = new Playout(sound('h', 3));
  const ended: string[] = [];
  let nowMs = 0;
  return {
    playout,
    ended,
    prompt: (name: string, length: number, isLoop = false) =>
      playout.setPrompt({
        sound: sound(name, length),
        isLoop,
        onEnd: () => ended.push(`${name} at ${nowMs}`),
      }),
    /** What is played in the next `ms`. */
    run: (ms: number): string => {
      const played: string[] = [];
      for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += 10)
        playout.tick(nowMs, ([, name = 0, number = 0]) =>
          played.push(`${String.fromCharCode(name)}${number}`),
        );
      return played.join(' ');
    },
  };
}

it('is silent unless told otherwise', () => {
  const { playout, run } = rig();
  expect(run(100)).toBe('');
  expect(playout.isInstead(0)).toBe(false);
});

it('plays the hold sound from its beginning each time that the caller is put on hold', () => {
  const { playout, run } = rig();
  playout.setHeld(true);
  expect(playout.isInstead(0)).toBe(true);
  expect(run(80)).toBe('h0 h1 h2 h0');
  playout.setHeld(false);
  expect(playout.isInstead(0)).toBe(false);
  expect(run(80)).toBe('');
  playout.setHeld(true);
  expect(run(20)).toBe('h0');
});

it('plays a prompt once, and then what it had interrupted, without a pause', () => {
  const { playout, prompt, run, ended } = rig();
  playout.setHeld(true);
  expect(run(40)).toBe('h0 h1');
  prompt('a', 2);
  expect(run(80)).toBe('a0 a1 h0 h1');
  expect(ended).toEqual(['a at 80']);
  expect(playout.isInstead(0)).toBe(true);
});

it('leaves the room to the caller after a prompt', () => {
  const { playout, prompt, run } = rig();
  prompt('a', 1);
  expect(playout.isInstead(0)).toBe(true);
  expect(run(60)).toBe('a0');
  expect(playout.isInstead(0)).toBe(false);
});

it('plays a prompt over and over until it is stopped, and says nothing of its end', () => {
  const { playout, prompt, run, ended } = rig();
  prompt('a', 2, true);
  expect(run(100)).toBe('a0 a1 a0 a1 a0');
  playout.setPrompt(undefined);
  expect(run(40)).toBe('');
  expect(ended).toEqual([]);
});

it('cuts a prompt off for another one, or the same one from its beginning', () => {
  const { prompt, run, ended } = rig();
  prompt('a', 5);
  expect(run(40)).toBe('a0 a1');
  prompt('b', 5);
  expect(run(40)).toBe('b0 b1');
  prompt('b', 5);
  expect(run(20)).toBe('b0');
  expect(ended).toEqual([]);
});

it('lets whoever hears of the end play the next prompt at once', () => {
  const { playout, run } = rig();
  playout.setPrompt({
    sound: sound('a', 1),
    isLoop: false,
    onEnd: () => playout.setPrompt({ sound: sound('b', 2), isLoop: false, onEnd: () => undefined }),
  });
  expect(run(60)).toBe('a0 b0 b1');
});

it('hides everybody for a moment while a prompt is on its way, and cuts off the one before', () => {
  const { playout, prompt, run } = rig();
  prompt('a', 10);
  expect(run(40)).toBe('a0 a1');
  playout.awaitPrompt(100);
  expect(run(40)).toBe('');
  expect(playout.isInstead(99)).toBe(true);
  expect(playout.isInstead(100)).toBe(false);
  prompt('b', 1);
  expect(run(40)).toBe('b0');
  playout.awaitPrompt(10_000);
  playout.setPrompt(undefined);
  expect(playout.isInstead(200)).toBe(false);
});

it('ends the silence for a prompt no later than it is told', () => {
  const { playout } = rig();
  playout.endSilence(1_000);
  expect(playout.isInstead(0)).toBe(false);
  playout.awaitPrompt(Infinity);
  playout.endSilence(1_000);
  playout.endSilence(2_000);
  expect(playout.isInstead(999)).toBe(true);
  expect(playout.isInstead(1_000)).toBe(false);
});

it('plays the hold sound to whoever is on hold until a prompt is there', () => {
  const { playout, prompt, run } = rig();
  playout.setHeld(true);
  playout.awaitPrompt(1_000);
  expect(run(40)).toBe('h0 h1');
  prompt('a', 1);
  expect(run(20)).toBe('a0');
});

it('plays the hold sound while the room is waited for, from a moment on, and hides nobody', () => {
  const { playout, run } = rig();
  playout.awaitRoom(40);
  playout.awaitRoom(1_000);
  expect(run(80)).toBe('h0 h1');
  expect(playout.isInstead(0)).toBe(false);
  playout.endWait();
  expect(run(40)).toBe('');
});

it('goes on with the hold sound when a wait ends while the caller is on hold, and the other way round', () => {
  const { playout, run } = rig();
  playout.setHeld(true);
  playout.awaitRoom(0);
  expect(run(20)).toBe('h0');
  playout.endWait();
  expect(run(20)).toBe('h1');
  playout.awaitRoom(0);
  playout.setHeld(false);
  expect(run(20)).toBe('h2');
});
