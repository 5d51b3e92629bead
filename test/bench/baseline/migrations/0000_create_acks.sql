CREATE TABLE `acks` (
	`id` text PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL
);
