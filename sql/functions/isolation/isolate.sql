-- The migration of every tenant table ends with a call of this function.
CREATE OR REPLACE FUNCTION workspace_db_isolate(tenant_table regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog
AS $function$
DECLARE
    -- The subquery runs once per statement instead of once per row. A setting that an earlier transaction had set reads as '',
    -- which nullif takes for no workspace, and so for no row.
    is_current CONSTANT text :=
        $$(workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))$$;
    readers CONSTANT text := CASE WHEN to_regrole('workspace_reader') IS NULL THEN '' ELSE ', workspace_reader' END;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY workspace_isolation ON %s TO workspace_app%s USING %s WITH CHECK %s',
        tenant_table, readers, is_current, is_current);
    EXECUTE format('CREATE POLICY platform_access ON %s TO workspace_platform USING (true) WITH CHECK (true)', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO workspace_app, workspace_platform', tenant_table);
    IF readers <> '' THEN
        EXECUTE format('GRANT SELECT ON %s TO workspace_reader', tenant_table);
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_isolate(regclass) IS
    'Forces row-level security on a table with a workspace_id, and grants the table to workspace_app, workspace_reader and workspace_platform.';
