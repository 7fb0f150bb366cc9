import { describe, expect, it } from '@jest/globals';
import { createControlPlaneMetrics } from '#metrics/control-plane-metrics';

const snapshot = {
  version: '1.2.3',
  downloads: { success: 4, failed: 1 },
  hosts: { online: 2, offline: 1 },
  storeBytes: 12_345,
  hostsOverStoreLimit: 1,
  refusedBatches: { unsigned: 0, forged: 7 },
  tries: [{ layer: 'ipfs', successes: 9, failures: 3 }],
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
  });

  it('M02 a layer that is gone from the window is gone from the answer', async () => {
    const metrics = createControlPlaneMetrics();
    await metrics.expose(snapshot);
    expect(await metrics.expose({ ...snapshot, tries: [] })).not.toContain('layer="ipfs"');
  });
});
