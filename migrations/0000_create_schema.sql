CREATE TABLE `agents` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`key_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `agents_key_hash_unique` ON `agents` (`key_hash`);--> statement-breakpoint
CREATE TABLE `call_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`call_id` text NOT NULL,
	`seq` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`type` text NOT NULL,
	`detail` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `call_events_fence` ON `call_events` (`call_id`,`seq`);--> statement-breakpoint
CREATE TABLE `calls` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`state` text NOT NULL,
	`is_live` integer NOT NULL,
	`direction` text NOT NULL,
	`number_id` text NOT NULL,
	`contact_id` text,
	`provider_call_id` text NOT NULL,
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
	`data` text NOT NULL,
	FOREIGN KEY (`number_id`) REFERENCES `numbers`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`contact_id`) REFERENCES `contacts`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`claimed_by`) REFERENCES `agents`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "calls_outcome" CHECK(("calls"."result" IS NULL) = ("calls"."reason" IS NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `calls_provider_call` ON `calls` (`number_id`,`provider_call_id`);--> statement-breakpoint
CREATE INDEX `calls_live` ON `calls` (`id`) WHERE is_live = 1;--> statement-breakpoint
CREATE INDEX `calls_created` ON `calls` (`created_at_ms`,`id`);--> statement-breakpoint
CREATE TABLE `contact_identities` (
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`contact_id` text NOT NULL,
	PRIMARY KEY(`kind`, `value`),
	FOREIGN KEY (`contact_id`) REFERENCES `contacts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `contact_identities_contact` ON `contact_identities` (`contact_id`);--> statement-breakpoint
CREATE TABLE `contacts` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `counters` (
	`name` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `numbers` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`phone_number_id` text NOT NULL,
	`display_phone_number` text NOT NULL,
	`access_token_sealed` text NOT NULL,
	`api_base_url` text,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `numbers_phone_number_id_unique` ON `numbers` (`phone_number_id`);--> statement-breakpoint
CREATE TABLE `relays` (
	`id` text PRIMARY KEY NOT NULL,
	`secret_hash` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
