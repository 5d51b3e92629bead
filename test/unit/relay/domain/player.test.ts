import { expect, it } from 'vitest';
import { Player } from '../../../../relay/domain/player.ts';

/** Packets of 20 ms that say their number. */
const sound = (length: number): Uint8Array[] =>
  Array.from({ length }, (_, index) => Uint8Array.of(0x78, index));

function rig(packets = sound(3)) {
  const player = new Player(packets);
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
  player.start(2_000);
  expect(player.isPlaying).toBe(true);
  tick(1_999);
  expect(played).toEqual([]);
  tick(2_000);
  player.stop();
  player.stop();
  expect(player.isPlaying).toBe(false);
  tick(2_100);
  expect(played).toHaveLength(1);
});

it('plays one packet in 20 ms, over and over, numbered without a break', () => {
  const { player, played, tick } = rig();
  player.start(0);
  for (let nowMs = 0; nowMs < 200; nowMs += 10) tick(nowMs);
  expect(played.map(({ packet }) => packet)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
  expect(played.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 10 }, (_, n) => n * 20));
  expect(played.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 10 }, (_, n) => n));
});

it('begins anew when it is started again, and goes on counting', () => {
  const { player, played, tick } = rig();
  player.start(0);
  tick(20);
  player.stop();
  player.start(5_000);
  tick(5_000);
  expect(played.map(({ packet, sequence }) => [packet, sequence])).toEqual([
    [0, 0],
    [1, 1],
    [0, 2],
  ]);
});

it('takes the time that each packet takes', () => {
  const { player, played, tick } = rig([Uint8Array.of(0x58, 0), Uint8Array.of(0x70, 1)]);
  player.start(0);
  for (let nowMs = 0; nowMs < 140; nowMs += 10) tick(nowMs);
  expect(played.map(({ atMs }) => atMs)).toEqual([0, 60, 70, 130]);
});

it('catches up after a late tick, but not after standing still', () => {
  const { player, played, tick } = rig();
  player.start(0);
  tick(100);
  expect(played).toHaveLength(6);
  tick(10_000);
  expect(played).toHaveLength(7);
  tick(10_020);
  expect(played).toHaveLength(8);
});
