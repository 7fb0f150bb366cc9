/**
 * undici's Client by itself. The whole library brings fetch, caches and mocks, which take longer to load than many a command to run;
 * its version is pinned, so the path cannot move unseen.
 */
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export default Client;
}
