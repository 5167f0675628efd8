-- Generated from plans/sessions/sql by `npm run generate`.
--
-- Phase 1: the enums and message_feedback. Nothing that exists is changed; running the file again does nothing.

{{> enums}}

{{> message-feedback}}
