import { expect, it } from '@jest/globals';
import { programLog } from '#os/program-log';

async function written(isTTY: boolean, colours = false): Promise<string> {
  let text = '';
  const output = { isTTY, write: (line: string) => (text += line) };
  const log = await programLog({ name: 'test', level: 'info', redact: ['token'], output, colours });
  log.info({ path: '/data/model.onnx', token: 'hunter2' }, 'published');
  log.debug('left out');
  return text;
}

it('is one JSON object a line where another program reads it', async () => {
  const text = await written(false);
  expect(text).toMatch(/^\{.*\}\n$/);
  expect(JSON.parse(text)).toMatchObject({ level: 30, name: 'test', msg: 'published', path: '/data/model.onnx' });
  expect(text).not.toContain('hunter2');
});

it('is lines for people on a terminal, with colours unless they are not wanted', async () => {
  expect(await written(true)).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: published \{.*"path":"\/data\/model\.onnx".*\}\n$/);
  expect(await written(true)).not.toContain('hunter2');
  expect(await written(true, true)).toContain('\u001b[');
});
