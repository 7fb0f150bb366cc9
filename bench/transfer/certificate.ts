import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '#embedded/command';
import type { Program } from '#embedded/find-program';

export interface Certificate {
  readonly certificatePath: string;
  readonly keyPath: string;
  /** PEM, self-signed. */
  readonly ca: string;
}

/** Makes a certificate for 127.0.0.1 that is valid for two days. */
export async function makeCertificate(openssl: Program, folder: string): Promise<Certificate> {
  const [certificatePath, keyPath] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  await runCommand(openssl.path, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', keyPath, '-out', certificatePath],
  ]);
  return { certificatePath, keyPath, ca: await readFile(certificatePath, 'utf8') };
}
