import { refuse, refuseMethod } from './hub/refuse.ts';
import { answerJson, answerText, isHead, type Exchange } from './http/exchange.ts';

const USE_A_HUB_CLIENT = 'download with a client of the hub, such as hf download';

/** Answers an address at which there is nothing, in the way that the client shows to its user. */
export function answerNotServed(exchange: Exchange): void {
  const { path, request, query } = exchange;
  const { method = 'GET' } = request;
  // git shows the text of an answer, and git-lfs the message of a JSON object.
  if (/^git-/.test(query.get('service') ?? '') || /\/git-(upload|receive)-pack$/.test(path))
    return answerText(exchange, 501, `git is not served here: ${USE_A_HUB_CLIENT}`);
  if (/\/info\/lfs\//.test(path))
    return answerJson(exchange, 501, { message: `git-lfs is not served here: ${USE_A_HUB_CLIENT}` });
  if (/^\/ipns(?:\/|$)/.test(path))
    return answerText(
      exchange,
      501,
      'names of IPNS and DNSLink are not served: ask for the CID of the content, /ipfs/CID',
    );
  if (method !== 'GET' && !isHead(exchange)) return refuseMethod(exchange);
  if (path.startsWith('/api/'))
    return refuse(exchange, 404, undefined, `${path} is not served here: files and descriptions of repositories are`);
  return answerText(exchange, 404, 'there is nothing at this address: / lists what is served');
}
