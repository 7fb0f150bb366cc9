import { z } from 'zod';
import { unsafePathReason } from '#core/text/safe-path';

/** A relative path that is safe to create under any folder of any host. */
export const FilePath = z.string().superRefine((path, context) => {
  const reason = unsafePathReason(path);
  if (reason !== undefined)
    context.addIssue({
      code: 'custom',
      message: `path ${JSON.stringify(path)} ${reason}; write for example "onnx/model.onnx"`,
    });
});
