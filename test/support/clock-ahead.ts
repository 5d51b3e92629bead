// Loaded into a process ahead of its program, puts that process's clock a day ahead.
const DAY_MS = 86_400_000;
const now = Date.now;
Date.now = () => now() + DAY_MS;
