/** Wakes the waiting requests of this process when a download changed. Other processes poll. */
export interface Changes {
  notify(downloadIds: Iterable<string>): void;
  /** Resolves at the next change of the download, after `timeoutMs`, or when the signal aborts. Never rejects. */
  next(downloadId: string, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Ends every wait, now and later. Safe twice. */
  stop(): void;
  stopped(): boolean;
}

export function createChanges(): Changes {
  const waiting = new Map<string, Set<() => void>>();
  let stopped = false;

  const wake = (downloadId: string): void => {
    for (const wakeOne of [...(waiting.get(downloadId) ?? [])]) wakeOne();
  };

  return {
    notify(downloadIds) {
      for (const downloadId of downloadIds) wake(downloadId);
    },
    async next(downloadId, timeoutMs, signal) {
      if (stopped || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', finish);
          const others = waiting.get(downloadId);
          others?.delete(finish);
          if (others?.size === 0) waiting.delete(downloadId);
          resolve();
        };
        const timer = setTimeout(finish, timeoutMs);
        signal.addEventListener('abort', finish, { once: true });
        const others = waiting.get(downloadId) ?? new Set();
        waiting.set(downloadId, others.add(finish));
      });
    },
    stop() {
      stopped = true;
      for (const downloadId of [...waiting.keys()]) wake(downloadId);
    },
    stopped: () => stopped,
  };
}
