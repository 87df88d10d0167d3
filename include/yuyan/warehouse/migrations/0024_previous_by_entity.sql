-- The versions that were last published are kept in a table per entity (yuyan.changes.run): of the one that held them all,
-- every entity's comparison read the whole. The first publication after this one has nothing to compare with.
drop table if exists previous.accepted, previous.definition;
