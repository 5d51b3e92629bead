CREATE TABLE `forwards` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`url` text NOT NULL,
	`body` blob NOT NULL,
	`headers` text NOT NULL,
	`attempts` integer NOT NULL,
	`next_at_ms` integer,
	`last_error` text,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `forwards_due` ON `forwards` (`next_at_ms`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`request_hash` text NOT NULL,
	`call_id` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `permissions` (
	`number_id` text NOT NULL,
	`contact_id` text NOT NULL,
	`ledger` text NOT NULL,
	`window_until_ms` integer,
	`updated_at_ms` integer NOT NULL,
	PRIMARY KEY(`number_id`, `contact_id`),
	FOREIGN KEY (`number_id`) REFERENCES `numbers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`contact_id`) REFERENCES `contacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `rates` (
	`prefix` text NOT NULL,
	`tier_from_minutes` integer NOT NULL,
	`currency` text NOT NULL,
	`micros_per_minute` integer NOT NULL,
	`valid_from` text NOT NULL,
	PRIMARY KEY(`prefix`, `tier_from_minutes`, `valid_from`)
);
--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_calls` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`is_live` integer NOT NULL,
	`direction` text NOT NULL,
	`number_id` text NOT NULL,
	`contact_id` text,
	`provider_call_id` text,
	`relay_id` text,
	`claimed_by` text,
	`created_at_ms` integer NOT NULL,
	`ringing_at_ms` integer,
	`answered_at_ms` integer,
	`ended_at_ms` integer,
	`result` text,
	`reason` text,
	`ended_by` text,
	`detail` text,
	`billed_s` integer,
	`cost_micros` integer,
	`cost_currency` text,
	`rate_prefix` text,
	`data` text NOT NULL,
	FOREIGN KEY (`number_id`) REFERENCES `numbers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`contact_id`) REFERENCES `contacts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`claimed_by`) REFERENCES `agents`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "calls_outcome" CHECK(("__new_calls"."result" IS NULL) = ("__new_calls"."reason" IS NULL))
);
--> statement-breakpoint
INSERT INTO `__new_calls`("id", "version", "state", "is_live", "direction", "number_id", "contact_id", "provider_call_id", "relay_id", "claimed_by", "created_at_ms", "ringing_at_ms", "answered_at_ms", "ended_at_ms", "result", "reason", "ended_by", "detail", "billed_s", "cost_micros", "cost_currency", "rate_prefix", "data") SELECT "id", "version", "state", "is_live", "direction", "number_id", "contact_id", "provider_call_id", "relay_id", "claimed_by", "created_at_ms", "ringing_at_ms", "answered_at_ms", "ended_at_ms", "result", "reason", "ended_by", "detail", NULL, NULL, NULL, NULL, "data" FROM `calls`;--> statement-breakpoint
DROP TABLE `calls`;--> statement-breakpoint
ALTER TABLE `__new_calls` RENAME TO `calls`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `calls_provider_call` ON `calls` (`number_id`,`provider_call_id`);--> statement-breakpoint
CREATE INDEX `calls_live` ON `calls` (`id`) WHERE is_live = 1;--> statement-breakpoint
CREATE INDEX `calls_created` ON `calls` (`created_at_ms`,`id`);--> statement-breakpoint
CREATE INDEX `calls_rate` ON `calls` (`rate_prefix`,`answered_at_ms`,`billed_s`) WHERE rate_prefix IS NOT NULL;--> statement-breakpoint
ALTER TABLE `numbers` ADD `business_account_id` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `app_id` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `webhook_secret_sealed` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `forward_url` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `calling` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `restrictions` text;--> statement-breakpoint
ALTER TABLE `numbers` ADD `webhook_at_ms` integer;