import { createSocket } from 'node:dgram';

const GROUP = '224.0.0.251';

/** @returns why a packet to all of this machine does not arrive; undefined where it does. For the name of a test: ": skipped, …" */
export async function whyNoMulticast(): Promise<string | undefined> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  const arrived = new Promise<void>((resolve) => socket.once('message', () => resolve()));
  try {
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(0, '0.0.0.0', resolve));
    socket.addMembership(GROUP, '127.0.0.1');
    socket.setMulticastInterface('127.0.0.1');
    socket.send('hello', socket.address().port, GROUP);
    const late = new Promise<string>((resolve) => setTimeout(() => resolve('no packet arrives'), 5000).unref());
    return await Promise.race([arrived.then(() => undefined), late]);
  } catch (error) {
    return String(error);
  } finally {
    socket.close();
  }
}
