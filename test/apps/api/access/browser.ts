import { request } from 'node:http';
import type { Problem } from '#contracts/http/problem';
import { parseJson } from '#core/text/parse-json';
import type { Answer, TestApp } from '../start-app.ts';

/** A browser with one page of the API open: it keeps cookies and says where its requests come from. */
export interface Browser {
  /** Of the session; undefined when there is none. */
  readonly cookie: () => string | undefined;
  send(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
}

export function openBrowser(api: Pick<TestApp, 'call'>): Browser {
  let cookie: string | undefined;
  return {
    cookie: () => cookie,
    async send(method, path, body, headers = {}) {
      const own = { authorization: '', 'sec-fetch-site': 'same-origin', ...(cookie === undefined ? {} : { cookie }) };
      const answer = await api.call(method, path, body, { ...own, ...headers });
      for (const given of answer.headers.getSetCookie()) {
        const [pair] = given.split(';', 1);
        if (/expires=Thu, 01 Jan 1970/i.test(given)) {
          if (cookie?.split('=', 1)[0] === pair!.split('=', 1)[0]) cookie = undefined;
        } else cookie = pair;
      }
      return answer;
    },
  };
}

/** A request whose headers may name another host, which `fetch` does not allow. */
export function rawRequest(
  url: string,
  method: string,
  path: string,
  body: object | undefined,
  headers: Record<string, string>,
): Promise<{ status: number; code: string | undefined; cookie: string | undefined }> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request(url + path, { method, headers: { ...type, ...headers }, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        const code = (parseJson(text) as Partial<Problem> | undefined)?.code;
        resolve({ status: response.statusCode!, code, cookie: response.headers['set-cookie']?.[0] });
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
