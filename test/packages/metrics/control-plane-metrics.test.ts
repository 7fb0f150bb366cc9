import { describe, expect, it } from '@jest/globals';
import { createControlPlaneMetrics } from '#metrics/control-plane-metrics';

const snapshot = {
  version: '1.2.3',
  downloads: { success: 4, failed: 1 },
  hosts: { online: 2, offline: 1 },
  storeBytes: 12_345,
  hostsOverStoreLimit: 1,
  refusedBatches: { unsigned: 0, forged: 7 },
  tries: [{ layer: 'ipfs', successes: 9, failures: 3, bytes: 1234 }],
};

describe('metrics of the control plane', () => {
  it('ME4 exposes what the snapshot says, in the text format of Prometheus', async () => {
    const text = await createControlPlaneMetrics().expose(snapshot);
    expect(text).toContain('haulier_build_info{version="1.2.3"} 1');
    expect(text).toContain('haulier_downloads{status="success"} 4');
    expect(text).toContain('haulier_hosts{state="offline"} 1');
    expect(text).toContain('haulier_hosts_over_store_limit 1');
    expect(text).toContain('haulier_refused_event_batches{reason="unsigned"} 0');
    expect(text).toContain('haulier_refused_event_batches{reason="forged"} 7');
    expect(text).toContain('haulier_download_tries{layer="ipfs",result="failure"} 3');
    expect(text).toContain('haulier_download_bytes{layer="ipfs"} 1234');
  });

  it('M02 a layer whose tries are all out of the window goes back to 0', async () => {
    const metrics = createControlPlaneMetrics();
    await metrics.expose(snapshot);
    const tries = [{ layer: 'ipfs', successes: 0, failures: 0, bytes: 0 }];
    expect(await metrics.expose({ ...snapshot, tries })).toContain(
      'haulier_download_tries{layer="ipfs",result="success"} 0',
    );
  });
});
