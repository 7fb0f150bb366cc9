export { createModelDownloader } from 'node-llama-cpp';
