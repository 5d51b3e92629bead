ALTER TABLE `agents` ADD `revoked_at_ms` integer;--> statement-breakpoint
ALTER TABLE `numbers` ADD `fallback_text` text;--> statement-breakpoint
ALTER TABLE `relays` ADD `revoked_at_ms` integer;