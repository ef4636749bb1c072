-- The message groups of a standard queue take turns.
CREATE INDEX message_turn ON message (queue, group_id, visible, id) WHERE sequence IS NULL AND group_id IS NOT NULL;
