-- The star reads accepted: the layer of views between them is gone.
drop schema if exists staging cascade;
