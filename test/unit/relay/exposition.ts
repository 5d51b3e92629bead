// Reads Prometheus' text format, version 0.0.4, and refuses what Prometheus would refuse or could not add up.

const HELP = /^# HELP ([a-zA-Z_:][\w:]*) \S.*$/;
const TYPE = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_]\w*)="([^"\\]*)"$/;

type Sample = { name: string; labels: Record<string, string>; value: number };

export class Exposition {
  /** Type of each metric by name. */
  readonly types = new Map<string, string>();
  readonly #samples: Sample[] = [];

  /** @throws Error naming the line that cannot be read */
  constructor(text: string) {
    const helped = new Set<string>();
    for (const line of text.split('\n').filter((line) => line !== '')) {
      const [, helpOf] = HELP.exec(line) ?? [];
      const [, typeOf, type] = TYPE.exec(line) ?? [];
      if (helpOf) helped.add(helpOf);
      else if (typeOf && type && helped.has(typeOf)) this.types.set(typeOf, type);
      else this.#samples.push(this.#parse(line));
    }
    for (const [name, type] of this.types) if (type === 'histogram') this.#checkBuckets(name);
  }

  /** The value of one sample; `undefined` when there is none with exactly these labels. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    return this.#samples.find((sample) => sample.name === name && isSame(sample.labels, labels))
      ?.value;
  }

  labelNames(): Set<string> {
    return new Set(this.#samples.flatMap(({ labels }) => Object.keys(labels)));
  }

  #parse(line: string): Sample {
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || value === undefined || Number.isNaN(Number(value)))
      throw new Error(`not a sample: ${line}`);
    const family = name.replace(/_(bucket|sum|count)$/, '');
    if (!this.types.has(name) && this.types.get(family) !== 'histogram')
      throw new Error(`a sample of no declared metric: ${line}`);
    const pairs = labels === '' ? [] : labels.split(',');
    return {
      name,
      labels: Object.fromEntries(
        pairs.map((pair) => {
          const [, key, text] = LABEL.exec(pair) ?? [];
          if (key === undefined || text === undefined) throw new Error(`not a label: ${line}`);
          return [key, text];
        }),
      ),
      value: Number(value),
    };
  }

  /** Buckets hold what is in the smaller ones as well, and the last one everything. */
  #checkBuckets(name: string): void {
    const last = new Map<string, number>();
    for (const { name: sample, labels, value } of this.#samples) {
      if (sample !== `${name}_bucket`) continue;
      const { le, ...rest } = labels;
      const series = JSON.stringify(rest);
      if (value < (last.get(series) ?? 0)) throw new Error(`${name}: buckets fall at ${le}`);
      last.set(series, value);
      if (le === '+Inf' && value !== this.value(`${name}_count`, rest))
        throw new Error(`${name}: the last bucket is not the count`);
    }
  }
}

const isSame = (a: Record<string, string>, b: Record<string, string>): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([key, value]) => b[key] === value);
