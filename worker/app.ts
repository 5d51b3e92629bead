// All routes of the worker, their order, and what happens to errors.
import { cors } from 'hono/cors';
import { agentRoutes } from './http/agent-routes.ts';
import { apiKeyRoutes } from './http/api-key-routes.ts';
import { auditRoutes } from './http/audit-routes.ts';
import { auditTrail } from './http/audit-trail.ts';
import { authenticate } from './http/authentication.ts';
import { callAudioRoutes } from './http/call-audio-routes.ts';
import { callDeskRoutes } from './http/call-desk-routes.ts';
import { callPeopleRoutes } from './http/call-people-routes.ts';
import { callRemarkRoutes } from './http/call-remark-routes.ts';
import { callRoutes } from './http/call-routes.ts';
import { contactRoutes } from './http/contact-routes.ts';
import { deliveryRoutes } from './http/delivery-routes.ts';
import { docsPage } from './http/docs-page.ts';
import { eventRoutes } from './http/event-routes.ts';
import { forwardRoutes } from './http/forward-routes.ts';
import { checkJsonBody } from './http/json-body.ts';
import { KeyGuard } from './http/key-guard.ts';
import { maskAnswers } from './http/masked-answers.ts';
import { moneyRoutes } from './http/money-routes.ts';
import { numberCallingRoutes } from './http/number-calling-routes.ts';
import { numberRoutes } from './http/number-routes.ts';
import { describeApi } from './http/openapi.ts';
import { permissionRoutes } from './http/permission-routes.ts';
import { presenceRoutes } from './http/presence-routes.ts';
import { notFound, onError } from './http/problems.ts';
import { promptRoutes } from './http/prompt-routes.ts';
import { sessionRoutes, signInRoute } from './http/session-routes.ts';
import { recordingRoutes } from './http/recording-routes.ts';
import { relayAudioRoutes } from './http/relay-audio-routes.ts';
import { relayConnectRoute } from './http/relay-connect-route.ts';
import { relayRoutes } from './http/relay-routes.ts';
import { logRequests } from './http/request-log.ts';
import { newRoutes } from './http/routes.ts';
import { ruleExplainRoute } from './http/rule-explain-route.ts';
import { ruleRoutes } from './http/rule-routes.ts';
import { settingsRoutes } from './http/settings-routes.ts';
import { startCallRoute } from './http/start-call-route.ts';
import { statsRoutes } from './http/stats-routes.ts';
import { webhookEndpointRoutes } from './http/webhook-endpoint-routes.ts';
import { teamRoutes } from './http/team-routes.ts';
import { webhookRoutes } from './http/webhook-routes.ts';
import type { Services } from './services.ts';

export function createApp(services: Services) {
  const app = newRoutes();
  const guard = new KeyGuard(() => services.now());
  app.use('*', logRequests);
  app.onError(onError);
  app.notFound(notFound);
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.route('/webhooks', webhookRoutes(services, guard));
  // Any page may call the API with a key that it was given. Cookies are sent along by no page but our own: this allows no
  // credentials, and `requireOwnPage` asks again.
  app.use('/v1/*', cors());
  app.get('/v1/openapi.json', (c) => c.json(describeApi(app)));
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'ADMIN_API_KEY, or the key of an agent or of a program',
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-roomline_session',
    description:
      'What signing in gives a browser. Requests that change something carry the header `X-CSRF-Token` of `GET /v1/session` as well.',
  });
  app.get('/docs', (c) => c.html(docsPage('/v1/openapi.json')));
  app.use('/v1/*', auditTrail(services), maskAnswers);
  app.route('/v1', relayConnectRoute(services, guard));
  app.route('/v1', relayAudioRoutes(services, guard));
  app.route('/v1', signInRoute(services, guard));
  // Whatever is added below needs a key, or somebody who has signed in.
  app.use('/v1/*', authenticate(services, guard), checkJsonBody());
  app.route('/v1', sessionRoutes(services));
  app.route('/v1', apiKeyRoutes(services));
  app.route('/v1', settingsRoutes(services));
  app.route('/v1', auditRoutes(services));
  app.route('/v1', relayRoutes(services));
  app.route('/v1', callRoutes(services));
  app.route('/v1', callDeskRoutes(services));
  app.route('/v1', startCallRoute(services));
  app.route('/v1', callAudioRoutes(services));
  app.route('/v1', callPeopleRoutes(services));
  app.route('/v1', callRemarkRoutes(services));
  app.route('/v1', recordingRoutes(services));
  app.route('/v1', promptRoutes(services));
  app.route('/v1', eventRoutes(services));
  app.route('/v1', numberRoutes(services));
  app.route('/v1', numberCallingRoutes(services));
  app.route('/v1', forwardRoutes(services));
  app.route('/v1', webhookEndpointRoutes(services));
  app.route('/v1', deliveryRoutes(services));
  app.route('/v1', presenceRoutes(services));
  app.route('/v1', agentRoutes(services));
  app.route('/v1', teamRoutes(services));
  app.route('/v1', ruleRoutes(services));
  app.route('/v1', ruleExplainRoute(services));
  app.route('/v1', contactRoutes(services));
  app.route('/v1', permissionRoutes(services));
  app.route('/v1', moneyRoutes(services));
  app.route('/v1', statsRoutes(services));
  return app;
}
