import { expect } from '@jest/globals';
import { parseCid } from '#content/cid/cid';
import type { CreatedEnrolmentToken, Enrolled } from '#contracts/http/access/enrolment';
import type { Announced, AnnounceInput, AnsweredFile, SwarmLease } from '#contracts/swarm';
import { PieceMap } from '#core/swarm/piece-map';
import { MIB } from '#core/units';
import { makeHostKeys } from '#queue/events/batch-signature';
import type { Answer, TestApp } from '../start-app.ts';

export const NAMED = 'QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR';
export const CID = parseCid(NAMED).cid;

type Said = Partial<Omit<AnnounceInput, 'files'>> & { readonly file?: Partial<AnnounceInput['files'][number]> };

/** An enrolled host that has a download of the file, and announces to any of the API processes. */
export class EnrolledHost {
  readonly name: string;
  readonly map: PieceMap;
  leases: readonly SwarmLease[] = [];
  readonly token: string;

  private constructor(name: string, token: string, pieces: number) {
    this.name = name;
    this.token = token;
    this.map = new PieceMap(pieces * MIB);
  }

  static async enrol(api: TestApp, name: string, pieces: number): Promise<EnrolledHost> {
    const asAdmin = { authorization: `Bearer ${api.tokens.admin}` };
    const made = (await api.call('POST', '/api/enrolment-tokens', {}, asAdmin)).json<CreatedEnrolmentToken>();
    const body = { host: name, publicKey: makeHostKeys().publicKey };
    const enrolled = await api.call('POST', '/api/workers/enrol', body, { authorization: `Bearer ${made.token}` });
    return new EnrolledHost(name, enrolled.json<Enrolled>().workerToken, pieces);
  }

  static async enrolMany(api: TestApp, names: readonly string[], pieces: number): Promise<EnrolledHost[]> {
    const hosts: EnrolledHost[] = [];
    for (const name of names) hosts.push(await EnrolledHost.enrol(api, name, pieces));
    const files = [{ path: 'model.onnx', cid: NAMED, sizeBytes: pieces * MIB }];
    const answer = await api.call('POST', '/api/downloads', { files, hosts: names });
    expect([answer.statusCode, answer.body]).toEqual([202, expect.any(String)]);
    return hosts;
  }

  send(api: TestApp, { file, ...said }: Said = {}): Promise<Answer> {
    const { map, leases } = this;
    const state = map.isComplete ? 'seeding' : 'leeching';
    const reports = leases.map(({ id, piece, from }) => ({
      ...{ id, piece, from, status: map.has(piece) ? ('done' as const) : ('held' as const) },
    }));
    const mine = {
      cid: CID,
      named: NAMED,
      sizeBytes: map.count * MIB,
      state,
      have: map.toString(),
      want: 4,
      leases: reports,
    };
    const body = { host: this.name, boot: 'first', urls: [`http://${this.name}:7430`], ...said };
    const authorization = `Bearer ${this.token}`;
    return api.call('POST', '/api/swarm/announce', { ...body, files: [{ ...mine, ...file }] }, { authorization });
  }

  /** Announces, takes what it is leased, and returns the answer about the file. */
  async announce(
    api: TestApp,
    said: Said = {},
  ): Promise<AnsweredFile & Pick<Announced, 'token' | 'intervalMs' | 'site' | 'limits' | 'originPauses'>> {
    const answer = await this.send(api, said);
    expect([answer.statusCode, answer.body]).toEqual([200, expect.any(String)]);
    const { files, ...rest } = answer.json<Announced>();
    this.leases = files[0]!.leases;
    return { ...rest, ...files[0]! };
  }
}
