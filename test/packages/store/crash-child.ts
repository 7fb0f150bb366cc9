/** Opens a store and publishes one partial; dies by SIGKILL right after the named step. Bundled and run by crash-points.test.ts. */
import { openStore } from '#store/open-store';
import type { PublishRequest } from '#store/blobs/publish';

const { home, request, dieAfter, linkMode } = JSON.parse(process.argv[2]!) as {
  home: string;
  request: PublishRequest;
  dieAfter: string;
  linkMode: 'auto' | 'symlink';
};

const store = await openStore({
  home,
  linkMode,
  onStep: (step) => {
    if (step === dieAfter) process.kill(process.pid, 'SIGKILL');
  },
});
await store.publish({ ...request, table: Buffer.from('table'), inner: Buffer.from('inner') });
