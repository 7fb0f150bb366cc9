import type { FastifyInstance } from 'fastify';

/**
 * Remembers which methods each address has; must be called before the routes are added.
 *
 * @returns a function from the path of a request to its methods, sorted; none for an address that does not exist
 */
export function rememberMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { readonly form: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ form: formOf(url), methods: [method].flat() });
  });
  return (path) => {
    const found = routes.filter(({ form }) => form.test(path)).flatMap(({ methods }) => methods);
    return [...new Set(found)].sort();
  };
}

/** A parameter is one part of the path, a star is the rest of it. */
const formOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replace(/:\w+/g, '[^/]+')}$`,
  );
