CREATE TABLE `prompts` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`duration_ms` integer NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`stored_at_ms` integer,
	`deleted_at_ms` integer
);
--> statement-breakpoint
CREATE TABLE `recordings` (
	`call_id` text PRIMARY KEY NOT NULL,
	`relay_id` text NOT NULL,
	`duration_ms` integer NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`r2_key` text,
	`created_at_ms` integer NOT NULL,
	`stored_at_ms` integer,
	`expires_at_ms` integer,
	FOREIGN KEY (`call_id`) REFERENCES `calls`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `recordings_expiry` ON `recordings` (`expires_at_ms`);--> statement-breakpoint
ALTER TABLE `numbers` ADD `recording` text DEFAULT 'off' NOT NULL;--> statement-breakpoint
ALTER TABLE `numbers` ADD `recording_announcement` text REFERENCES prompts(id);--> statement-breakpoint
ALTER TABLE `numbers` ADD `recording_retention_days` integer;