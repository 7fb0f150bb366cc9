# syntax=docker/dockerfile:1
# One image, started with different commands: api, worker, cli.
FROM node:24-bookworm-slim AS build
WORKDIR /app
ENV PRISMA_HIDE_UPDATE_MESSAGE=1
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# Removes the tools and the embedded PostgreSQL; of the optional packages only hash-wasm stays.
RUN npm run build \
 && mv node_modules/hash-wasm /hash-wasm \
 && npm prune --omit=dev --omit=optional --ignore-scripts \
 && mv /hash-wasm node_modules/hash-wasm

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="haulier" \
      org.opencontainers.image.description="Puts model files on fleets of hosts and proves every byte" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
RUN install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/prisma ./prisma
COPY --from=build /app/dist ./dist
# For the jobs of pipelines (integrations/).
RUN ln -s /app/dist/bundles/cli/main.js /usr/local/bin/haulier
ENV NODE_ENV=production HAULIER_HOME=/data HAULIER_BIND=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 7420
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/apps/api/main.js"]
