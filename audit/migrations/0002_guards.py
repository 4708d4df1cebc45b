"""What the database itself enforces: stamps on insert, no change afterwards, least privilege.

Every statement that would update, delete or truncate is refused for every role. The one way
around is for the tables' owner (or a superuser) to say `SET LOCAL byline.maintenance = 'owner'` in
a transaction: for tests and for the retention of old partitions. In an installation with a single
role that role is the owner; it gives up this line of defence and keeps fsck's.
ENABLE ALWAYS: `session_replication_role = replica` does not switch the guards off. Roles are granted
to only where they exist, so a host's own database needs none of ours.
"""

from django.db import migrations

TABLES = (
    "byline_audit_entry",
    "byline_audit_sealedleaf",
    "byline_audit_tile",
    "byline_audit_treehead",
    "byline_audit_checkpoint",
)

FUNCTIONS = """
CREATE FUNCTION byline_audit_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('byline.maintenance', true) = 'owner' AND EXISTS (
        SELECT 1 FROM pg_class t, pg_roles r
        WHERE t.oid = TG_RELID AND r.rolname = current_user AND (r.oid = t.relowner OR r.rolsuper)
    ) THEN
        RETURN NULL;  -- a statement trigger: the value is ignored, the statement goes on
    END IF;
    RAISE EXCEPTION '% refused: rows of % are only ever added', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- The writer's own values for these two are ignored: a false time would backdate an entry, a false
-- transaction id would hide it from the sealer.
CREATE FUNCTION byline_audit_stamp() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    NEW.created := clock_timestamp();
    NEW.txid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

CREATE TRIGGER byline_audit_stamp BEFORE INSERT ON byline_audit_entry
    FOR EACH ROW EXECUTE FUNCTION byline_audit_stamp();
ALTER TABLE byline_audit_entry ENABLE ALWAYS TRIGGER byline_audit_stamp;

-- log.append allows 60,000 bytes of canonical JSON; this keeps a writer past it from choking the sealer.
ALTER TABLE byline_audit_entry ADD CONSTRAINT byline_audit_entry_bounded
    CHECK (octet_length(payload::text) <= 262144);
"""

GUARD = """
CREATE TRIGGER byline_audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION byline_audit_refuse();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER byline_audit_refuse;
REVOKE ALL ON {table} FROM PUBLIC;
"""

GRANTS = """
DO $$
DECLARE
    derived constant text := 'byline_audit_sealedleaf, byline_audit_tile,'
        ' byline_audit_treehead, byline_audit_checkpoint';
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['byline_app', 'byline_sealer'] LOOP
        CONTINUE WHEN role = current_user OR NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role);
        EXECUTE format('REVOKE ALL ON byline_audit_entry, %s FROM %I', derived, role);
        EXECUTE format('GRANT SELECT ON byline_audit_entry, %s TO %I', derived, role);
        IF role = 'byline_app' THEN
            EXECUTE format('GRANT INSERT ON byline_audit_entry TO %I', role);
            EXECUTE format('GRANT USAGE ON SEQUENCE byline_audit_entry_id_seq TO %I', role);
        ELSE
            EXECUTE format('GRANT INSERT ON %s TO %I', derived, role);
            EXECUTE format('GRANT USAGE ON SEQUENCE byline_audit_tile_id_seq TO %I', role);
        END IF;
    END LOOP;
END $$;
"""

UNDO = """
ALTER TABLE byline_audit_entry DROP CONSTRAINT byline_audit_entry_bounded;
DROP FUNCTION byline_audit_refuse() CASCADE;
DROP FUNCTION byline_audit_stamp() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("byline_audit", "0001_log")]

    operations = [
        migrations.RunSQL(
            FUNCTIONS + "".join(GUARD.format(table=table) for table in TABLES) + GRANTS, reverse_sql=UNDO
        )
    ]
