// Converts a call to its database row and back. Columns hold what is searched and shown; `data` holds the rest while the call
// is live and shrinks to a few facts once it is settled.
import { isSettled, type Call, type Claim } from '../domain/call.ts';
import { NOBODY_ELSE } from '../domain/people.ts';
import type { PendingJob } from '../domain/job.ts';
import { QUIET } from '../domain/step-audio.ts';
import { NO_POLICY } from '../domain/step-inbound.ts';
import { NO_REMARKS } from '../domain/step-remark.ts';
import type { calls } from '../db/schema.ts';

/** When somebody got back to the caller is not the call's affair. */
type Row = Omit<typeof calls.$inferSelect, 'followedUpAtMs'>;

/** Facts that stay after a call has ended; SDP, jobs and the caller's details do not. */
type SettledData = Pick<
  Call,
  | 'displayPhoneNumber'
  | 'offeredAtMs'
  | 'answerByMs'
  | 'payload'
  | 'quality'
  | 'target'
  | 'startedAtMs'
  | 'finishedAtMs'
  | 'talkedAtMs'
  | 'hadBy'
  | 'flow'
  | 'remarks'
> & {
  claim: Claim | null;
  providerCode?: number;
  retryAtMs?: number;
  /** Absent for false. */
  isRecordingKept?: boolean;
};
type LiveData = SettledData &
  Pick<
    Call,
    | 'caller'
    | 'placement'
    | 'offerSdp'
    | 'answerSdp'
    | 'isRoomCreated'
    | 'isRoomJoined'
    | 'isPreAccepted'
    | 'isMediaUp'
    | 'isAlerting'
    | 'heard'
    | 'ai'
    | 'recalled'
    | 'ask'
    | 'ringMs'
    | 'policy'
    | 'audio'
    | 'excluded'
    | 'people'
    | 'timers'
    | 'pending'
    | 'nextJobId'
  >;

/** As it may stand in a row: the first release knew less of a call. */
type StoredData = Partial<LiveData> &
  Omit<
    SettledData,
    'target' | 'startedAtMs' | 'finishedAtMs' | 'talkedAtMs' | 'hadBy' | 'flow' | 'remarks'
  > & {
    heard?: LiveData['heard'];
  };

export function rowFromCall(call: Call): Row {
  const settled: SettledData = {
    displayPhoneNumber: call.displayPhoneNumber,
    offeredAtMs: call.offeredAtMs,
    answerByMs: call.answerByMs,
    payload: call.payload,
    quality: call.quality,
    target: call.target,
    startedAtMs: call.startedAtMs,
    finishedAtMs: call.finishedAtMs,
    talkedAtMs: call.talkedAtMs,
    hadBy: call.hadBy,
    flow: call.flow,
    claim: call.claim,
    remarks: call.remarks,
    ...(call.isRecordingKept ? { isRecordingKept: true } : {}),
    ...(call.outcome?.code === undefined ? {} : { providerCode: call.outcome.code }),
    ...(call.outcome?.retryAtMs === undefined ? {} : { retryAtMs: call.outcome.retryAtMs }),
  };
  const live = (): LiveData => ({
    ...settled,
    caller: call.caller,
    placement: call.placement,
    offerSdp: call.offerSdp,
    answerSdp: call.answerSdp,
    isRoomCreated: call.isRoomCreated,
    isRoomJoined: call.isRoomJoined,
    isPreAccepted: call.isPreAccepted,
    isMediaUp: call.isMediaUp,
    isAlerting: call.isAlerting,
    heard: call.heard,
    ai: call.ai,
    recalled: call.recalled,
    ask: call.ask,
    ringMs: call.ringMs,
    policy: call.policy,
    audio: call.audio,
    excluded: call.excluded,
    people: call.people,
    timers: call.timers,
    pending: call.pending,
    nextJobId: call.nextJobId,
  });
  return {
    id: call.id,
    version: call.version,
    state: call.state,
    isLive: !isSettled(call),
    direction: call.direction,
    numberId: call.numberId,
    contactId: call.caller?.contactId ?? null,
    providerCallId: call.providerCallId,
    relayId: call.placement?.relayId ?? null,
    claimedBy: call.claim?.agentId ?? null,
    teamId: call.teamId,
    followUp: call.followUp,
    createdAtMs: call.createdAtMs,
    ringingAtMs: call.ringingAtMs,
    answeredAtMs: call.answeredAtMs,
    endedAtMs: call.endedAtMs,
    result: call.outcome?.result ?? null,
    reason: call.outcome?.reason ?? null,
    endedBy: call.outcome?.endedBy ?? null,
    detail: call.outcome?.detail ?? null,
    billedS: call.charge?.billedS ?? null,
    costMicros: call.charge?.costMicros ?? null,
    costCurrency: call.charge?.currency ?? null,
    ratePrefix: call.charge?.ratePrefix ?? null,
    data: isSettled(call) ? settled : live(),
  };
}

/** Rows are written by `rowFromCall` alone, which is what makes the casts of ids and JSON sound. */
export function callFromRow(row: Row): Call {
  const { providerCode, retryAtMs, ...data } = row.data as StoredData;
  return {
    id: row.id as Call['id'],
    version: row.version,
    state: row.state,
    direction: row.direction,
    numberId: row.numberId as Call['numberId'],
    providerCallId: row.providerCallId,
    createdAtMs: row.createdAtMs,
    ringingAtMs: row.ringingAtMs,
    answeredAtMs: row.answeredAtMs,
    endedAtMs: row.endedAtMs,
    teamId: row.teamId,
    followUp: row.followUp,
    outcome:
      row.reason === null
        ? null
        : ({
            result: row.result,
            reason: row.reason,
            endedBy: row.endedBy,
            ...(row.detail === null ? {} : { detail: row.detail }),
            ...(providerCode === undefined ? {} : { code: providerCode }),
            ...(retryAtMs === undefined ? {} : { retryAtMs }),
          } as Call['outcome']),
    charge:
      row.billedS === null
        ? null
        : {
            billedS: row.billedS,
            ...(row.costMicros === null ? {} : { costMicros: row.costMicros }),
            ...(row.costCurrency === null ? {} : { currency: row.costCurrency }),
            ...(row.ratePrefix === null ? {} : { ratePrefix: row.ratePrefix }),
          },
    // The first release wrote neither these nor `heard`.
    target: null,
    startedAtMs: null,
    finishedAtMs: null,
    talkedAtMs: null,
    hadBy: data.claim ? [data.claim.agentId] : [],
    caller: null,
    placement: null,
    offerSdp: null,
    answerSdp: null,
    isRoomCreated: false,
    isRoomJoined: false,
    isPreAccepted: false,
    isMediaUp: false,
    isAlerting: false,
    // There whoever had claimed a connected call was heard, and nobody else.
    heard: isConnected(row.state) && data.claim ? [data.claim.identity] : [],
    ai: null,
    recalled: [],
    ask: null,
    ringMs: 0,
    policy: NO_POLICY,
    audio: QUIET,
    excluded: [],
    people: NOBODY_ELSE,
    remarks: NO_REMARKS,
    flow: null,
    isRecordingKept: false,
    timers: {},
    nextJobId: 1,
    ...data,
    pending: (data.pending ?? []).map((entry) => withTarget(entry, data.target)),
  };
}

/** The release before this one took the AI agent of a dispatch from the call. */
const withTarget = (entry: PendingJob, target: Call['target'] | undefined): PendingJob =>
  entry.job.lane === 'room' && entry.job.action === 'dispatch' && target?.kind === 'ai'
    ? { ...entry, job: { ...entry.job, ai: { name: target.name, metadata: target.metadata } } }
    : entry;

const isConnected = (state: Call['state']): boolean => state === 'accepting' || state === 'active';
