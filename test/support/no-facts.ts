// A caller of whom nothing is known.
import type { RoutingFacts } from '../../worker/domain/call-event.ts';

export const NO_FACTS: RoutingFacts = {
  country: null,
  tags: [],
  isReturning: false,
  numberHours: null,
};
