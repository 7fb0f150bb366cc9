import fc from 'fast-check';

/** Every run tries the same examples, so that none fails by chance; `HAULIER_TEST_SEED=7` tries others. */
fc.configureGlobal({ seed: Number(process.env['HAULIER_TEST_SEED'] ?? 20_261_130) });

export { fc };
