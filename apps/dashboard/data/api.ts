import { createClient } from '#client/client';

/** The API that served this page. The browser adds the cookie of the session. */
export const api = createClient({ baseUrl: globalThis.location.origin });
