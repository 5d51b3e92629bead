// What the benchmark and its load generator say to each other.

export type LoadRequest =
  /** A simulated caller: gathers and offers. */
  | { do: 'phone'; id: string }
  | { do: 'answer'; id: string; sdp: string }
  /** Somebody in a room who hears `hears`; both phones and participants are endpoints of the pair `id`. */
  | { do: 'join'; id: string; side: 'caller' | 'agent'; url: string; token: string; hears: string }
  /** Closes a phone that was not answered. */
  | { do: 'drop'; id: string }
  /** Everybody sends from now on. */
  | { do: 'start' }
  /** Counts for a while and reports. */
  | { do: 'measure'; ms: number }
  /** Closes every endpoint. */
  | { do: 'clear' };

export type LoadResult = {
  sent: number;
  received: number;
  /** Stamped packets that came after one that was sent later on the same way. */
  reordered: number;
  /** Packets with another payload than the sender's. */
  unstamped: number;
  /** One-way times in ms, from before the sender's encryption to after the receiver's decryption. */
  toAgentMs: number[];
  toCallerMs: number[];
};

export type LoadReply =
  { ok: true; sdp?: string; result?: LoadResult } | { ok: false; error: string };
