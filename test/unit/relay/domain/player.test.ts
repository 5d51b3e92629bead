import { expect, it } from 'vitest';
import { Player } from '../../../../relay/domain/player.ts';

/** Packets of 20 ms that say their number. */
const sound = (length: number): Uint8Array[] =>
  Array.from({ length }, (_, index) => Uint8Array.of(0x78, index));

function rig() {
  const player = new Player();
  const played: { atMs: number; packet: number | undefined; sequence: number }[] = [];
  return {
    player,
    played,
    tick: (nowMs: number) =>
      player.tick(nowMs, (packet, sequence, atMs) =>
        played.push({ atMs, packet: packet[1], sequence }),
      ),
  };
}

it('plays nothing before it is started and nothing after it is stopped', () => {
  const { player, played, tick } = rig();
  tick(1_000);
  player.start(sound(3), true, 2_000);
  tick(1_999);
  expect(played).toEqual([]);
  tick(2_000);
  player.stop();
  player.stop();
  tick(2_100);
  expect(played).toHaveLength(1);
});

it('plays one packet in 20 ms, over and over, numbered without a break', () => {
  const { player, played, tick } = rig();
  player.start(sound(3), true, 0);
  for (let nowMs = 0; nowMs < 200; nowMs += 10) expect(tick(nowMs)).toBe(false);
  const [first] = played;
  expect(played.map(({ packet }) => packet)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
  expect(played.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 10 }, (_, n) => n * 20));
  expect(played.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual(
    Array.from({ length: 10 }, (_, n) => n),
  );
});

it('plays once, and says that it is over when the last packet has had its time', () => {
  const { player, played, tick } = rig();
  player.start(sound(3), false, 0);
  const ends = [];
  for (let nowMs = 0; nowMs < 200; nowMs += 10) if (tick(nowMs)) ends.push(nowMs);
  expect(played.map(({ packet }) => packet)).toEqual([0, 1, 2]);
  expect(ends).toEqual([60]);
});

it('is over at once without packets, also when it should go on for ever', () => {
  const { player, tick } = rig();
  player.start([], true, 0);
  expect(tick(0)).toBe(true);
  expect(tick(20)).toBe(false);
});

it('begins anew when it is started again, as another stream', () => {
  const { player, played, tick } = rig();
  player.start(sound(3), true, 0);
  tick(20);
  player.stop();
  player.start(sound(2), true, 5_000);
  tick(5_000);
  expect(played.map(({ packet }) => packet)).toEqual([0, 1, 0]);
  const [, before, after] = played.map(({ sequence }) => sequence);
  // What the stitcher takes for a new stream.
  expect((after ?? 0) - (before ?? 0)).toBeGreaterThan(100);
});

it('takes the time that each packet takes', () => {
  const { player, played, tick } = rig();
  player.start([Uint8Array.of(0x58, 0), Uint8Array.of(0x70, 1)], true, 0);
  for (let nowMs = 0; nowMs < 140; nowMs += 10) tick(nowMs);
  expect(played.map(({ atMs }) => atMs)).toEqual([0, 60, 70, 130]);
});

it('catches up after a late tick, but not after standing still', () => {
  const { player, played, tick } = rig();
  player.start(sound(3), true, 0);
  tick(100);
  expect(played).toHaveLength(6);
  tick(10_000);
  expect(played).toHaveLength(7);
  tick(10_020);
  expect(played).toHaveLength(8);
});
